// Before anything is shown: a page must not flash in the other colours.
try {
	const chosen = localStorage.getItem("waymark-theme");
	if (chosen === "light" || chosen === "dark") {
		document.documentElement.dataset.theme = chosen;
	}
} catch {
	// Without storage the system's choice holds.
}
