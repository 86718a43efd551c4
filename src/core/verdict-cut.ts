/** Whether judging has taken so long that it must end; asked now and then. */
export type IsSpent = () => boolean;

/** Judging one object has taken too long: nothing but a cut ends it, and no rule may go on after it. */
export class VerdictCut extends Error {
	constructor() {
		super("Cannot go on judging: it takes too long");
		this.name = "VerdictCut";
	}
}
