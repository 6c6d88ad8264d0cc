// Tries a tool with one value after another until a result contains a text: one call of the agent instead of many.
export const meta = {
  name: "until_found",
  description: "Calls a tool with each of several values of one argument, in order, until a result contains a text. Gives that value and result.",
  schema: {
    type: "object",
    properties: {
      tool: { type: "string", description: "Name of the tool." },
      argument: { type: "string", description: "Name of the argument that varies." },
      values: { type: "array", items: { type: "string" }, minItems: 1, maxItems: 64 },
      text: { type: "string", description: "What the result must contain." },
    },
    required: ["tool", "argument", "values", "text"],
  },
};

export function run(args, state, api) {
  const wanted = api.text.normalise(args.text);
  for (const value of args.values.slice(0, 64)) {
    const result = api.call(args.tool, { [args.argument]: value });
    if (!result.is_error && api.text.normalise(result.text).includes(wanted)) return `${value}: ${result.text}`;
  }
  return { text: `None of ${args.values.length} values brought "${args.text}".`, is_error: true };
}
