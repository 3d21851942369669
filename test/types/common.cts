/** The same for a CommonJS program: `require` of an ES module. */

import uma = require('uma-smr')

const { Arena, HashTable, record, u32, utf8 } = uma

const User = record({ id: u32, name: utf8(16) })
type Users = uma.TableOf<typeof User, 'id'>

const arena = Arena.create({ bytes: 2 ** 20 })
const users: Users = HashTable.create(arena, 'users', { record: User, key: 'id', capacity: 8 })
users.set({ id: 1, name: 'Ada' })
const ada: uma.RecordOf<typeof User> | undefined = users.get(1)
console.log(ada?.name)
export = { User, arena, users }
