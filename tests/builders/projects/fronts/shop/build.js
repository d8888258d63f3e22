const { mkdirSync, writeFileSync } = require("fs");
const { API, SHELL_ONLY } = process.env;
const version = require("is-number/package.json").version;
mkdirSync("../static/shop", { recursive: true });
writeFileSync("../static/shop/bundle.js", `is-number ${version}, ${API}, ${SHELL_ONLY}, ${process.hrtime.bigint()}\n`);
