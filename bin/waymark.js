#!/usr/bin/env node
// Plain JavaScript on purpose: it must run on the old Node.js that it complains about.
const major = Number(process.versions.node.split(".")[0]);
if (major < 22) {
	process.stderr.write(`waymark needs Node.js 22 or later, and this is ${process.version}\n`);
	process.exitCode = 70;
} else {
	import("../dist/main.js").then(({ run }) => run());
}
