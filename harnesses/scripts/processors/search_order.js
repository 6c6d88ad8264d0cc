// Offers first the ways to where the wanted thing is likely: places where it was seen in this episode, then those not searched yet in the
// order that `likely` gives for the thing, then in the general `order` of kinds of places; places searched in vain come last. Other actions
// stay as they are.
export const meta = {
  name: "search_order",
  group: "search_order",
  order: -10,
  dimension: "control_and_safety",
  params: { go: "^go to (.+)$", likely: {}, order: [], thing: "[a-z]+ [0-9]+" },
};

/** Behind every place that may hold the thing. */
const LAST = 1000;
/** How far a kind of thing falls back once one of it was handled. */
const HANDLED = 10;

const stem = (word) => (/[^s]s$/.test(word) && word.length > 3 ? word.slice(0, -1) : word);
const kindOf = (name) => stem(name.toLowerCase().replace(/[^a-z]/g, ""));
const actionOf = (call) => Object.values(call.arguments).find((value) => typeof value === "string") ?? "";
const recall = (state) => Object.assign(state, { here: "", seen: {}, handled: [], ...state });

/** Kinds of things that the task names, with pairs of words: "soap bar" is also "soapbar". */
function termsOf(task) {
  const words = task.toLowerCase().match(/[a-z]+/g) ?? [];
  return words.flatMap((word, index) => [stem(word), stem(word + (words[index + 1] ?? ""))]);
}

/** How late a place is to be searched: small is soon. */
function rankOf(place, terms, memory, { likely, order, thing }) {
  const back = (kind) => (memory.handled.some((name) => kindOf(name) === kind) ? HANDLED : 0);
  const names = [...(memory.seen[place] ?? "").matchAll(new RegExp(thing, "g"))].map(([name]) => name);
  const shown = names.filter((name) => terms.includes(kindOf(name)) && !memory.handled.includes(name));
  if (shown.length > 0) return Math.min(...shown.map((name) => back(kindOf(name))));
  if (memory.seen[place] !== undefined) return LAST;
  const known = terms.filter((term) => likely[term]?.includes(kindOf(place)));
  if (known.length > 0) return Math.min(...known.map((term) => 1 + back(term) + likely[term].indexOf(kindOf(place))));
  const general = order.indexOf(kindOf(place));
  return 2 * HANDLED + (general < 0 ? order.length : general);
}

export const hooks = {
  before_model(event, state, api) {
    const memory = recall(state);
    const placeOf = (action) => action.match(new RegExp(api.params.go))?.[1];
    const ways = event.actions.filter(placeOf);
    const kinds = ways.map((way) => kindOf(placeOf(way)));
    const terms = termsOf(event.task).filter((term) => !kinds.includes(term));
    const ranks = new Map(ways.map((way) => [way, rankOf(placeOf(way), terms, memory, api.params)]));
    const best = Math.min(...ranks.values());
    const actions = event.actions.filter((action) => !ranks.has(action) || ranks.get(action) === best);
    if (actions.length < event.actions.length) return { replace: { actions } };
  },

  after_tool(event, state, api) {
    const memory = recall(state);
    const action = actionOf(event.call);
    const place = action.match(new RegExp(api.params.go))?.[1];
    if (place) {
      memory.here = place;
      memory.seen[place] = "";
    } else {
      memory.handled.push(...(action.match(new RegExp(api.params.thing, "g")) ?? []));
    }
    if (memory.here) memory.seen[memory.here] += ` ${event.result.text}`;
  },
};
