// Breaks circles: an action that led back to a state seen before is withheld until something new is seen, wherever the agent stands. Two
// states are the same where the environment said the same and admitted the same actions.
export const meta = { name: "loop_breaker", group: "loop_breaker", order: -5, dimension: "control_and_safety", params: {} };

const actionOf = (call) => Object.values(call.arguments).find((value) => typeof value === "string") ?? "";
const recall = (state) => Object.assign(state, { states: [], back: [], ...state });

export const hooks = {
  after_tool(event, state, api) {
    const memory = recall(state);
    const key = api.text.normalise([event.result.text, ...event.actions].join("\n"));
    if (memory.states.includes(key)) {
      memory.back.push(actionOf(event.call));
    } else {
      memory.states.push(key);
      memory.back = [];
    }
  },

  before_model(event, state) {
    const { back } = recall(state);
    const actions = event.actions.filter((action) => !back.includes(action));
    if (actions.length > 0 && actions.length < event.actions.length) return { replace: { actions } };
  },
};
