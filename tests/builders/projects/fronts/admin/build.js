const { mkdirSync, writeFileSync } = require("fs");
const { API, SHELL_ONLY } = process.env;
mkdirSync("dist", { recursive: true });
writeFileSync("dist/index.html", "admin\n");
writeFileSync("../static/admin.js", `admin, ${API}, ${SHELL_ONLY}, ${process.hrtime.bigint()}\n`);
