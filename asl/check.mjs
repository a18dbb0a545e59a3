// Holds the state machines of a template against two validators: `node check.mjs template.json …`.
//
// statelint is AWS Labs' validator, in its port to JavaScript; asl-validator has the schema and the paths. statelint reads no
// text with a line break in an intrinsic function, which Step Functions does: it is given spaces in their place.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const statelint = require("@wmfs/statelint")();
const validate = require("asl-validator");

const text = (value) => {
  if (typeof value === "string") return value;
  if (value["Fn::Join"]) return value["Fn::Join"][1].map(text).join(value["Fn::Join"][0]);
  if (value.Ref?.startsWith("AWS::")) return { "AWS::Partition": "aws", "AWS::AccountId": "123456789012" }[value.Ref];
  const name = value.Ref ?? value["Fn::GetAtt"][0];
  return `arn:aws:lambda:eu-west-2:123456789012:function:${name}`;
};

const onOneLine = (value, key) => {
  if (typeof value === "string") return key.endsWith(".$") ? value.replaceAll("\n", " ") : value;
  if (Array.isArray(value)) return value.map((each) => onOneLine(each, ""));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, onOneLine(each, name)]));
};

let checked = 0;
let wrong = 0;
for (const path of process.argv.slice(2)) {
  const template = JSON.parse(readFileSync(path, "utf8"));
  for (const [name, resource] of Object.entries(template.Resources)) {
    if (resource.Type !== "AWS::StepFunctions::StateMachine") continue;
    const definition = JSON.parse(text(resource.Properties.DefinitionString));
    const found = statelint.validate(onOneLine(definition, ""));
    const { errors } = validate(definition, { checkPaths: true, checkArn: true }); // writes into the definition
    found.push(...errors.map((each) => JSON.stringify(each)));
    found.forEach((each) => console.error(`${name}: ${each}`));
    wrong += found.length;
    checked += 1;
  }
}
console.log(`state machines ${checked}, complaints ${wrong}`);
process.exit(checked > 0 && wrong === 0 ? 0 : 1);
