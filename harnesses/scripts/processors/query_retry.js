// Asks otherwise where a query found nothing. A call that is made again though it brought nothing or an error is rewritten: a query of
// several parts ("A and B", "A, B") becomes one call for each part, any other loses its quotation marks, then its last word.
export const meta = {
  name: "query_retry",
  group: "query_retry",
  dimension: "tools",
  params: { empty: "^\\s*(\\[\\]|\\{\\}|null|none|no (results?|matches|hits)\\b.*|not found\\b.*|nothing found\\b.*)?\\s*$", parts: "\\s*(?:,|;|\\band\\b|\\bor\\b)\\s*", most_parts: 4 },
};

const keyOf = (call) => JSON.stringify([call.name, call.arguments]);
const recall = (state) => Object.assign(state, { failed: [], ...state });

/** The argument that is the query: the longest text. */
function queryOf(args) {
  const texts = Object.entries(args).filter(([, value]) => typeof value === "string");
  return texts.sort(([, one], [, two]) => two.length - one.length)[0] ?? [];
}

/** Narrower or wider forms of a query, the first of which says the most. */
function otherwise(query, { parts, most_parts }) {
  const split = query.split(new RegExp(parts, "i")).filter((part) => part.trim() !== "");
  if (split.length > 1) return split.slice(0, most_parts);
  const plain = query.replace(/["'“”]/g, "").trim();
  const shorter = plain.split(/\s+/).slice(0, -1).join(" ");
  return plain !== query ? [plain] : shorter ? [shorter] : [];
}

export const hooks = {
  before_tool(event, state, api) {
    const { failed } = recall(state);
    let { call } = event;
    let queries = [];
    // What was rewritten before and failed too is rewritten further.
    while (failed.includes(keyOf(call)) && queries.length < 2) {
      const [name, query] = queryOf(call.arguments);
      queries = name === undefined ? [] : otherwise(query, api.params);
      if (queries.length === 0) break;
      call = { ...call, arguments: { ...call.arguments, [name]: queries[0] } };
    }
    if (queries.length > 1) {
      const [name] = queryOf(call.arguments);
      return { split: { calls: queries.map((query) => ({ name: call.name, arguments: { ...call.arguments, [name]: query } })) } };
    }
    if (call !== event.call) return { replace: { arguments: call.arguments } };
  },

  after_tool(event, state, api) {
    const { text, is_error } = event.result;
    if (is_error || new RegExp(api.params.empty, "i").test(text)) recall(state).failed.push(keyOf(event.call));
  },
};
