// Sums of points and transforms of ffjavascript, the arithmetic under snarkjs, in one thread.
//
//   node kernels.js msm LOG2 RUNS SCALAR_BASE POINT_BASE
//   node kernels.js ntt LOG2 RUNS BASE
import { readFileSync } from "node:fs";
import { buildBn128 } from "ffjavascript";

const BYTES = 32;

// base^1, base^2, ... as plain little-endian integers.
function powers(curve, base, n) {
  const buffer = new Uint8Array(n * BYTES);
  let power = 1n;
  for (let i = 0; i < n; i++) {
    power = (power * base) % curve.r;
    let rest = power;
    for (let j = 0; rest; j++, rest >>= 8n) buffer[i * BYTES + j] = Number(rest & 0xffn);
  }
  return buffer;
}

// One run before the others is not counted.
async function timed(runs, body) {
  const [seconds, cpu] = [[], []];
  let result;
  for (let i = 0; i <= runs; i++) {
    const [started, used] = [performance.now(), process.cpuUsage()];
    result = await body();
    if (i === 0) continue;
    seconds.push((performance.now() - started) / 1000);
    const { user, system } = process.cpuUsage(used);
    cpu.push((user + system) / 1e6);
  }
  return { seconds, cpu, result };
}

async function msm(curve, n, runs, scalarBase, pointBase) {
  const { G1, Fr } = curve;
  const generators = new Uint8Array(n * 2 * BYTES);
  for (let i = 0; i < n; i++) generators.set(G1.toAffine(G1.g), i * 2 * BYTES);
  const step = Fr.e(pointBase);
  const points = await G1.batchApplyKey(generators, step, step, "affine", "affine");
  const scalars = powers(curve, scalarBase, n);
  const { result, ...times } = await timed(runs, () => G1.multiExpAffine(points, scalars));
  return { ...times, check: G1.toObject(G1.toAffine(result))[0].toString() };
}

async function ntt(curve, n, runs, base) {
  const { Fr } = curve;
  const coefficients = await Fr.batchToMontgomery(powers(curve, base, n));
  const { result, ...times } = await timed(runs, () => Fr.fft(coefficients));
  return { ...times, check: Fr.toString(result.slice(0, BYTES)) };
}

const [stage, size, runs, ...bases] = process.argv.slice(2);
const curve = await buildBn128(true);
const stages = { msm, ntt };
if (!(stage in stages)) throw new Error(`no such measurement: ${stage}`);
const measured = await stages[stage](curve, 2 ** Number(size), Number(runs), ...bases.map(BigInt));
const { dependencies } = JSON.parse(readFileSync(new URL("package.json", import.meta.url)));
console.log(JSON.stringify({ ...measured, detail: { version: dependencies.ffjavascript } }));
await curve.terminate();
