// snarkjs' PLONK on the conventional circuit, compiled to batch.r1cs and batch_js in the working folder, which also
// holds a setup, powers.ptau. The time is that of the witness and the proof.
//
//   node margin.js CHANGES RUNS
import { readFileSync } from "node:fs";
import { plonk, wtns, zKey } from "snarkjs";

const DEPTH = 20;
const PRICE = 30000;
const COLLATERAL = 1e12;

// Buys of one account, so that its path needs no hashing here; the circuit costs the same whichever accounts change.
function inputs(changes) {
  const one = (i) => Array.from({ length: changes }, (_, k) => i(k));
  const bought = (k) => (k * (k + 1)) / 2;
  return {
    collateral: one((k) => COLLATERAL - bought(k) * PRICE),
    position: one(bought),
    size: one((k) => k + 1),
    index: one(() => 0x5a5a5),
    siblings: one(() => Array.from({ length: DEPTH }, (_, level) => level + 1)),
  };
}

const [changes, runs] = process.argv.slice(2).map(Number);
const [system, program, powers] = ["batch.r1cs", "batch_js/batch.wasm", "powers.ptau"];
const [key, witness] = ["batch.zkey", "batch.wtns"];

let constraints = 0;
const logger = {
  info: (text) => {
    constraints = Number(/Plonk constraints: (\d+)/.exec(text)?.[1] ?? constraints);
  },
  debug: () => {},
  warn: () => {},
  error: (text) => console.error(text),
};
if ((await plonk.setup(system, powers, key, logger)) === -1) throw new Error("the setup failed");
const [seconds, cpu] = [[], []];
let made;
for (let i = 0; i < runs; i++) {
  const [started, used] = [performance.now(), process.cpuUsage()];
  await wtns.calculate(inputs(changes), program, witness);
  made = await plonk.prove(key, witness);
  seconds.push((performance.now() - started) / 1000);
  const { user, system: kernel } = process.cpuUsage(used);
  cpu.push((user + kernel) / 1e6);
}
const verified = await plonk.verify(await zKey.exportVerificationKey(key), made.publicSignals, made.proof);
const { dependencies } = JSON.parse(readFileSync(new URL("package.json", import.meta.url)));
const detail = {
  version: dependencies.snarkjs,
  constraints,
  "constraints per change": Math.floor(constraints / changes),
};
console.log(JSON.stringify({ seconds, cpu, check: verified ? "verified" : "refused", detail }));
process.exit(0); // worker threads would keep it alive
