/** The damage program on the command line: see damage.ts. Ends with status 1 if it finds anything. */

import { argv, exit } from 'node:process'
import { parseArgs } from 'node:util'
import { damage, tell } from './damage.ts'

const { values } = parseArgs({
  args: argv.slice(2),
  options: {
    trials: { type: 'string', default: '10000' },
    seed: { type: 'string', default: '1' },
    'patience-ms': { type: 'string', default: '10000' },
  },
})

const result = await damage(
  new URL('./damage.worker.js', import.meta.url),
  Number(values.seed),
  Number(values.trials),
  Number(values['patience-ms']),
  (what) => console.error(what),
)
console.log(tell(result))
const faults = result.outcomes.filter(({ violations }) => violations.length > 0)
exit(faults.length + result.hangs.length + result.deaths.length === 0 ? 0 : 1)
