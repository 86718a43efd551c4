/** Loaded into a program by `--import`: its clock is ahead by as many milliseconds as CLOCK_AHEAD_MS says. */

const aheadMs = Number(process.env.CLOCK_AHEAD_MS);
const { now } = Date;
Date.now = () => now() + aheadMs;
globalThis.Date = new Proxy(Date, {
	construct: (target, given: readonly unknown[], made) =>
		Reflect.construct(target, given.length === 0 ? [target.now()] : given, made) as Date,
});
