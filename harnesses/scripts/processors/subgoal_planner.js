// Plans the task as sub-goals and offers only what serves the present one: the act itself where it is admitted; else an act that opens the
// way (`help`, each once); else the way to where it can be done; else places not searched yet.
//
// `plans` holds a list of sub-goals for each value of the tag `by`. A sub-goal is { act, at }: `act` is a pattern on actions whose captures
// must be things that the task names; `at` lists the kinds of places where it can be done, "{task}" for those that the task names. Without
// `at`, the thing is looked for. What served an act once does not serve it again, so that "two of them" means two; and an act with `at` is
// done again where it was done before.
export const meta = {
  name: "subgoal_planner",
  group: "subgoal_planner",
  order: -20,
  dimension: "control_and_safety",
  params: { by: "", plans: {}, go: "^go to (.+)$", help: [], thing: "([a-z]+) [0-9]+", no_effect: "" },
};

const stem = (word) => (/[^s]s$/.test(word) && word.length > 3 ? word.slice(0, -1) : word);
const kindOf = (name) => stem(name.toLowerCase().replace(/[^a-z]/g, ""));
const actionOf = (call) => Object.values(call.arguments).find((value) => typeof value === "string") ?? "";
const matches = (pattern, text) => pattern !== "" && new RegExp(pattern).test(text);

/** Kinds of things that the task names, with pairs of words: "soap bar" is also "soapbar". */
function termsOf(task) {
  const words = task.toLowerCase().match(/[a-z]+/g) ?? [];
  return words.flatMap((word, index) => [stem(word), stem(word + (words[index + 1] ?? ""))]);
}

/** What is known so far, the present sub-goal, and how to read this task. */
function situation(event, state, api) {
  const { by, plans, go, thing } = api.params;
  const memory = Object.assign(state, { done: 0, used: [], helped: [], tried: [], seen: {}, here: "", ...state });
  const goal = (plans[event.tags[by]] ?? plans.any ?? [])[memory.done];
  const terms = termsOf(event.task);
  const placeOf = (action) => action.match(new RegExp(go))?.[1];
  const fits = (place) => !goal.at || goal.at.some((at) => (at === "{task}" ? terms.includes(kindOf(place)) : at === kindOf(place)));

  /** The things that an action is done to, where it serves the sub-goal. */
  const served = (action) => {
    const things = action.match(new RegExp(goal.act))?.slice(1);
    const isUsed = things && memory.used.some((use) => use.act === goal.act && use.thing === things[0] && use.thing);
    return things?.every((one) => terms.includes(kindOf(one))) && !isUsed ? things : undefined;
  };

  /** Whether something that the sub-goal can be done to was seen in a place. */
  const shows = (place, placeKinds) => {
    const isAgain = memory.used.some((use) => use.act === goal.act);
    const isUsed = (name) => memory.used.some((use) => (isAgain ? use.thing === name : kindOf(use.thing) === kindOf(name)));
    const names = [...(memory.seen[place] ?? "").matchAll(new RegExp(thing, "g"))].map(([name]) => name);
    return names.some((name) => terms.includes(kindOf(name)) && !placeKinds.includes(kindOf(name)) && !isUsed(name));
  };
  /** Where the sub-goal is to be done because it was done there before, unless that was tried. */
  const site = goal?.at && memory.used.findLast((use) => use.act === goal.act && !memory.tried.includes(use.place))?.place;
  return { memory, goal, placeOf, fits, served, shows, site };
}

export const hooks = {
  before_model(event, state, api) {
    const { memory, goal, placeOf, fits, served, shows, site } = situation(event, state, api);
    if (!goal) return;
    const ways = event.actions.filter(placeOf);
    const placeKinds = ways.map((way) => kindOf(placeOf(way)));
    const fresh = ways.filter((way) => fits(placeOf(way)) && !memory.tried.includes(placeOf(way)));
    const isHelp = (action) => api.params.help.some((help) => matches(help, action)) && !memory.helped.includes(action);
    const isElsewhere = site && ways.some((way) => placeOf(way) === site);
    const choices = [
      isElsewhere ? ways.filter((way) => placeOf(way) === site) : event.actions.filter(served),
      fits(memory.here) ? event.actions.filter(isHelp) : [],
      goal.at ? fresh : fresh.filter((way) => shows(placeOf(way), placeKinds)),
      goal.at ? ways.filter((way) => fits(placeOf(way))) : fresh.filter((way) => memory.seen[placeOf(way)] === undefined),
    ];
    const offer = choices.find((choice) => choice.length > 0);
    if (offer && offer.length < event.actions.length) return { replace: { actions: offer } };
  },

  after_tool(event, state, api) {
    const { memory, goal, placeOf, served } = situation(event, state, api);
    const action = actionOf(event.call);
    memory.helped.push(action);
    if (!goal || matches(api.params.no_effect, event.result.text)) return;
    const place = placeOf(action);
    if (place) {
      memory.here = place;
      memory.seen[place] = "";
      memory.tried.push(place);
    }
    if (memory.here) memory.seen[memory.here] += ` ${event.result.text}`;
    const things = served(action);
    if (things) {
      memory.used.push({ act: goal.act, thing: things[0] ?? "", place: memory.here });
      memory.done += 1;
      memory.tried = [];
    }
  },
};
