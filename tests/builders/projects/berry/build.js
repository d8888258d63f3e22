const { mkdirSync, writeFileSync } = require("fs");
mkdirSync("dist", { recursive: true });
writeFileSync("dist/built.txt", `is-number ${require("is-number/package.json").version}\n`);
