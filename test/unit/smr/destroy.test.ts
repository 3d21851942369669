/**
 * The end of a domain: not under anybody's feet, not before its readers have left, and nothing of it
 * remains.
 */

import { describe, expect, it, vi } from 'vitest'
import { checkPages } from '#src/space/pages.ts'
import { pair } from '../../helpers/company.ts'
import { exhausted, misuse, unchanged, wild } from '../../helpers/refusals.ts'
import { CONFIGS } from '../../helpers/tiny.ts'

describe.each(CONFIGS)('$name', (config) => {
  it('gives its pages and its name back, and closes the handle', () => {
    const [a] = pair({}, config)
    const before = a.stats().pages
    const smr = a.smr('d')
    smr.destroy()
    const after = a.stats()
    expect(after.domains).toEqual([])
    expect(after.pages.untouched + after.pages.free).toBe(before.untouched + before.free)
    checkPages(a.memory, a.space.pages)
    expect(misuse(() => smr.enter()).message).toMatch(/closed by detach or destroy/)
    expect(misuse(() => smr.destroy()).message).toMatch(/^smr\.destroy: .*closed/)
  })

  it('while zones are bound to it is refused: says how many, and changes nothing', () => {
    const [a, b] = pair({}, config)
    const smr = a.smr('d')
    const zones = ['y', 'z'].map((name) => a.zone(name, { bytes: 8, smr }))
    b.zone('y')
    const error = unchanged(a, () => misuse(() => smr.destroy()))
    expect(error.message).toMatch(/^smr\.destroy: domain "d": 2 zones are bound to it/)
    expect(error.facts).toEqual({ domain: 'd', zones: 2 })
    misuse(() => b.smr('d').destroy())
    zones[0]?.destroy()
    expect(misuse(() => smr.destroy()).facts).toMatchObject({ zones: 1 })
    zones[1]?.destroy()
    smr.destroy()
    expect(a.stats().domains).toEqual([])
  })

  it('with a reader inside is Exhausted after its time, and the domain works on', () => {
    const [a, b] = pair({}, config)
    const smr = a.smr('d')
    const theirs = b.smr('d')
    theirs.enter()
    const error = exhausted(() => smr.destroy({ timeoutMs: 5 }))
    expect(error.message).toMatch(/^smr\.destroy: domain "d": sections are still open/)
    expect(a.stats().domains.map((each) => each.name)).toEqual(['d'])
    const goal = smr.advance()
    expect(smr.poll(goal)).toBe(false)
    theirs.exit()
    expect(smr.poll(goal)).toBe(true)
    expect(smr.read(() => 7)).toBe(7)
    smr.destroy({ timeoutMs: 0 })
    expect(a.stats().domains).toEqual([])
  })

  it('without a time waits 30 s and no longer', () => {
    const [a, b] = pair({}, config)
    b.smr('d').enter()
    const begun = a.memory.now()
    let time = begun
    vi.spyOn(a.memory, 'now').mockImplementation(() => time)
    vi.spyOn(a.memory, 'sleep').mockImplementation((ms) => {
      time += ms
    })
    expect(exhausted(() => a.smr('d').destroy()).message).toMatch(/^smr\.destroy: /)
    expect(time - begun).toBeCloseTo(30_000)
  })

  it('waits for a reader who leaves in time', () => {
    const [a, b] = pair({}, config)
    const theirs = b.smr('d')
    theirs.enter()
    vi.spyOn(a.memory, 'sleep').mockImplementation(() => {
      if (theirs.entered) theirs.exit()
    })
    a.smr('d').destroy()
    expect(b.stats().domains).toEqual([])
  })

  it('is refused inside a section of one’s own', () => {
    const [a] = pair({}, config)
    const smr = a.smr('d')
    smr.enter()
    expect(unchanged(a, () => misuse(() => smr.destroy())).message).toMatch(
      /^smr\.destroy: domain "d": a section is open/,
    )
    smr.exit()
    smr.destroy()
  })

  it('refuses an absurd time before anything moves', () => {
    const [a] = pair({}, config)
    const smr = a.smr('d')
    const error = unchanged(a, () => misuse(() => smr.destroy({ timeoutMs: wild('soon') })))
    expect(error.message).toMatch(/^smr\.destroy: timeoutMs is "soon"/)
    expect(smr.poll(smr.advance())).toBe(true)
  })
})
