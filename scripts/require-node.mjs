// Plain JavaScript on purpose: it must run on the old Node that it complains about.
const major = Number(process.versions.node.split(".")[0]);
if (major < 24) {
	console.error(
		`Cannot start Waymark: it needs Node 24 or later, and this is ${process.version} (${process.platform}-${process.arch}).\n` +
			"`npm ci` brings a fitting Node for linux-x64, linux-arm64 and win-x64, and `npm start`, `npm test` and `npm run waymark` use it.\n" +
			"On other systems install Node 24 yourself.",
	);
	process.exit(70);
}
