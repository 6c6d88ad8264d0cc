// Keeps what results told and says it again as one compact line behind the last message: the things seen in each place, and facts written as
// "name: value", whatever their names. The newest word on a place or name counts, and a thing that was handled is in its place no more; what
// speaks of the task comes first.
export const meta = {
  name: "fact_keeper",
  group: "fact_keeper",
  dimension: "memory",
  params: { go: "^go to (.+)$", thing: "[a-z]+ [0-9]+", fact: "^([A-Za-z][A-Za-z _-]{0,30}): (.{1,60})$", most: 8, title: "Known so far" },
};

const actionOf = (call) => Object.values(call.arguments).find((value) => typeof value === "string") ?? "";
const wordsOf = (text) => text.toLowerCase().match(/[a-z]{3,}/g) ?? [];
const recall = (state) => Object.assign(state, { here: "", facts: {}, ...state });

export const hooks = {
  after_tool(event, state, api) {
    const { go, thing, fact } = api.params;
    const memory = recall(state);
    const action = actionOf(event.call);
    const namesIn = (text) => text.match(new RegExp(thing, "g")) ?? [];
    const keep = (name, value) => {
      delete memory.facts[name];
      if (value !== "") memory.facts[name] = value;
    };
    const place = action.match(new RegExp(go))?.[1];
    memory.here = place ?? memory.here;
    const handled = place ? [] : namesIn(action).filter((name) => name !== memory.here);
    for (const [name, value] of Object.entries(memory.facts)) {
      if (handled.length > 0) memory.facts[name] = value.split(", ").filter((one) => !handled.includes(one)).join(", ") || "nothing";
    }
    const seen = new Set(namesIn(event.result.text).filter((name) => name !== memory.here && !handled.includes(name)));
    if (memory.here && seen.size > 0) keep(memory.here, [...seen].join(", "));
    if (handled.length > 0) keep("last handled", handled.join(", "));
    for (const [, name, value] of event.result.text.matchAll(new RegExp(fact, "gm"))) keep(name, value);
  },

  before_model(event, state, api) {
    const { facts } = recall(state);
    const words = wordsOf(event.task);
    const isOfTask = (line) => wordsOf(line).some((word) => words.includes(word));
    const lines = Object.entries(facts).map(([name, value]) => `${name}: ${value}`).reverse();
    const told = [...lines.filter(isOfTask), ...lines.filter((line) => !isOfTask(line))].slice(0, api.params.most);
    if (told.length === 0) return;
    const line = `${api.params.title}: ${told.join("; ")}.`;
    const last = event.turns.at(-1);
    return { replace: last?.role === "user" ? { last_user: `${last.text}\n${line}` } : { append_user: line } };
  },
};
