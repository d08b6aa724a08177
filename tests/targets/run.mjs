// Prints the report of a WebAssembly module: node run.mjs edgegen_targets.wasm
import { readFile } from "node:fs/promises";

const { instance } = await WebAssembly.instantiate(await readFile(process.argv[2]));
const { memory, edgegen_report } = instance.exports;
const report = BigInt.asUintN(64, edgegen_report());
const [at, length] = [Number(report & 0xffffffffn), Number(report >> 32n)];
process.stdout.write(new TextDecoder().decode(new Uint8Array(memory.buffer, at, length)));
