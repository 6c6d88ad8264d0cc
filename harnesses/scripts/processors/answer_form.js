// Holds a final answer to the form that the task asks for in words: yes or no, one word, a number, a unit. What says it plainly among other
// words is cut down to it; where it cannot be told, the agent is asked once more.
export const meta = {
  name: "answer_form",
  group: "answer_form",
  dimension: "evaluation_and_reward",
  params: {
    most: 1,
    yes_no: "\\byes or no\\b|\\byes/no\\b",
    one_word: "\\b(one|a single) word\\b",
    number: "\\b(only|just) (a|the) number\\b|\\bas an? (number|integer)\\b|\\bhow many\\b",
    unit: "\\b(?:answer|given?|express(?:ed)?|measured) in (%|[a-z]+)",
  },
};

const recall = (state) => Object.assign(state, { asked: 0, ...state });
const has = (pattern, text) => new RegExp(pattern, "i").test(text);
/** What stands behind "answer:", or the whole. */
const core = (text) => (text.match(/\banswer(?: is)?\s*[:=]?\s*\**\s*([^\n]+?)[.*\s]*$/i)?.[1] ?? text).trim();
const only = (found) => (new Set(found).size === 1 ? found[0] : undefined);

/** Forms: when a task asks for it, what it is called, and the answer cut down to it, if that can be told. */
function forms(params, task) {
  const unit = task.match(new RegExp(params.unit, "i"))?.[1];
  const numbers = (text) => core(text).match(/-?\d[\d,]*(?:\.\d+)?/g) ?? [];
  const bare = (text) => only(numbers(text))?.replace(/,/g, "");
  return [
    { is: has(params.yes_no, task), name: "yes or no", cut: (text) => only((core(text).match(/\b(yes|no)\b/gi) ?? []).map((word) => word.toLowerCase())) },
    { is: unit !== undefined, name: `a number in ${unit}`, cut: (text) => (bare(text) && core(text).toLowerCase().includes(unit) ? `${bare(text)} ${unit}` : undefined) },
    { is: has(params.number, task), name: "a number", cut: bare },
    { is: has(params.one_word, task), name: "one word", cut: (text) => only(core(text).match(/[^\s.,;:!?"'*]+/g) ?? []) },
  ];
}

export const hooks = {
  after_model(event, state, api) {
    const form = forms(api.params, event.task.toLowerCase()).find((form) => form.is);
    const memory = recall(state);
    if (!event.is_final || !form) return;
    const text = event.reply.text ?? "";
    const cut = form.cut(text);
    if (cut !== undefined) return cut === text ? undefined : { replace: { reply: { text: cut } } };
    if (memory.asked >= api.params.most) return;
    memory.asked += 1;
    return { replace: { again: `The task asks for ${form.name}. Answer with that alone.` } };
  },
};
