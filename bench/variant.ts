/**
 * One variant in a process of its own.
 *
 * Started by `run.js` with the name of a question, of a group and of a variant, and with the times;
 * measures, sends what it found and ends. Nothing else happens here, above all nothing else of the
 * same question.
 */
import process from 'node:process'
import { sink } from './harness/measure.ts'
import type { Reply } from './harness/processes.ts'
import { Skip } from './harness/question.ts'
import { loadQuestion } from './questions/index.ts'

async function main(): Promise<Reply> {
  const [question = '', group = '', variant = '', timeMs, warmupMs] = process.argv.slice(2)
  const { groups } = await loadQuestion(question)
  const found = groups.find((g) => g.name === group)?.variants.find((v) => v.name === variant)
  if (found === undefined) throw new Error(`no variant ${question} / ${group} / ${variant}`)
  try {
    const outcome = await found.run({ timeMs: Number(timeMs), warmupMs: Number(warmupMs) })
    return { outcome, checksum: sink.value }
  } catch (error) {
    if (error instanceof Skip) return { skipped: error.message }
    throw error
  }
}

/** What it is and where it was thrown. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const where = error.stack?.split('\n').find((line) => line.startsWith('    at '))
  return `${error.name}: ${error.message}${where === undefined ? '' : ` (${where.trim()})`}`
}

const reply: Reply = await main().catch((error: unknown) => {
  return { failed: `failed: ${describe(error)}` }
})
process.send?.(reply, () => process.exit('failed' in reply ? 1 : 0))
