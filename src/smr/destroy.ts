/**
 * The end of a domain: its readers leave, its callbacks run, its zones are gone already, its memory
 * goes back.
 */

import { Exhausted, Misuse, show } from '../errors.ts'
import { DomainWords } from '../memory/layout.ts'
import { timeoutOf, type WaitOptions } from '../memory/patience.ts'
import type { Smr } from './domain.ts'

/**
 * Ends a domain: waits for its readers, then gives its memory back. Misuse while zones are bound
 * to it; Exhausted if readers do not leave in time, it then goes on.
 */
export function destroySmr(smr: Smr, options: WaitOptions | undefined): void {
  const { space, address, name } = smr
  const users = space.memory.load(address + DomainWords.users)
  if (users !== 0) {
    throw new Misuse(
      `smr.destroy: domain ${show(name)}: ${users} zones are bound to it; destroy them first`,
      {
        domain: name,
        zones: users,
      },
    )
  }
  const timeoutMs = smr.timeout(timeoutOf('smr.destroy', options), options)
  if (!smr.synchronize({ timeoutMs })) {
    throw new Exhausted(
      `smr.destroy: domain ${show(name)}: sections are still open after the wait`,
      {
        domain: name,
      },
    )
  }
  smr.runAllCalls(timeoutOf('smr.destroy', options))
  const unused = (): boolean => space.memory.load(address + DomainWords.users) === 0
  if (space.directory.remove(smr.serial, () => space.pages.release(address), unused)) smr.close()
  else if (smr.isAlive())
    throw new Misuse(`smr.destroy: domain ${show(name)}: a zone was bound to it meanwhile`, {
      domain: name,
    })
  else smr.close()
}
