import { Eleventy } from "@11ty/eleventy";
import highlight from "@11ty/eleventy-plugin-syntaxhighlight";
import markdownIt from "markdown-it";
import anchor from "markdown-it-anchor";

/** What scripts/site.ts takes from the packages of this folder, whose own folder of modules nothing else sees. */
export const packages = { Eleventy, highlight, markdownIt, anchor };
