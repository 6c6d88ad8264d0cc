// Before a final answer stands, compares it with what results said: a named value that differs ("total: 12" answered as "the total is 15"),
// success claimed right after an error, a "not found" although a result shows the thing. What does not agree is shown to the agent, which
// answers again; at most `most` times.
export const meta = {
  name: "contradiction_check",
  group: "contradiction_check",
  dimension: "evaluation_and_reward",
  params: {
    most: 1,
    fact: "\\b([A-Za-z][A-Za-z_]{2,30})\"?(?: is| was| are|:| =|=) *\"?([0-9][0-9.,:-]*[0-9]|[0-9]|yes|no|true|false)\\b",
    success: "\\b(done|success(ful(ly)?)?|completed|fixed)\\b",
    absent: "\\b(?:not found|no such|could not find|does not exist)\\b",
  },
};

const recall = (state) => Object.assign(state, { facts: {}, results: [], asked: 0, ...state });
const factsOf = (text, api) => api.regex.all(`(?i)${api.params.fact}`, text).map(({ groups: [name, value] }) => [name.toLowerCase(), value.toLowerCase().replace(/,/g, "")]);
const has = (pattern, text) => new RegExp(pattern, "i").test(text);

/** What in the answer does not agree with the results. */
function objections(answer, task, memory, api) {
  const { facts, results } = memory;
  const differing = factsOf(answer, api).filter(([name, value]) => facts[name] !== undefined && facts[name] !== value);
  const found = differing.map(([name, value]) => `you say ${name} ${value}, a result said ${facts[name]}`);
  const last = results.at(-1);
  if (last?.is_error && has(api.params.success, answer)) found.push(`the last result was an error: ${api.text.truncate(last.text, 200)}`);
  const quoted = [...task.matchAll(/["“']([^"”']{3,})["”']/g)].map(([, name]) => name);
  const shown = quoted.filter((name) => results.some(({ text, is_error }) => !is_error && text.includes(name)));
  if (has(api.params.absent, answer) && shown.length > 0) found.push(`a result shows "${shown[0]}"`);
  return found;
}

export const hooks = {
  after_tool(event, state, api) {
    const memory = recall(state);
    const { text, is_error } = event.result;
    memory.results.push({ text: api.text.truncate(text, 4000), is_error });
    memory.results = memory.results.slice(-20);
    if (!is_error) Object.assign(memory.facts, Object.fromEntries(factsOf(text, api)));
  },

  after_model(event, state, api) {
    const memory = recall(state);
    if (!event.is_final || memory.asked >= api.params.most) return;
    const found = objections(event.reply.text ?? "", event.task, memory, api);
    if (found.length === 0) return;
    memory.asked += 1;
    return { replace: { again: `Your answer does not agree with what was found: ${found.join("; ")}. Check this, then answer again.` } };
  },
};
