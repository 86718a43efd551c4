// What the pure rooms may use besides the language: functions of their arguments that every runtime has. Whatever is
// neither here nor in the libraries of tsconfig.pure.json (clocks, timers, promises, sockets, files) does not compile.

interface URL {
	readonly hostname: string;
}
declare var URL: {
	new (url: string): URL;
	parse(url: string): URL | null;
};

declare class TextEncoder {
	encode(text: string): Uint8Array;
}

declare function btoa(text: string): string;
