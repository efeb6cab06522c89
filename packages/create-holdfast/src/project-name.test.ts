import { describe, expect, test } from 'vitest'
import { assertProjectName } from './project-name.ts'

describe('given a name that package, host and database can share', () => {
  test.each(['shop', 'a', 'order-service', 'v2-api', '@team/shop', '@team/http', 'x'.repeat(63)])(
    '%s passes',
    (name) => {
      expect(() => assertProjectName(name)).not.toThrow()
    },
  )
})

describe('given a name that one of them refuses', () => {
  test.each([
    ['', 'empty'],
    ['.', 'start with a letter'],
    ['..', 'start with a letter'],
    ['../shop', 'start with a letter'],
    ['a/b', 'start with a letter'],
    ['/etc/passwd', 'start with a letter'],
    ['.hidden', 'start with a letter'],
    ['_private', 'start with a letter'],
    ['-rf', 'start with a letter'],
    ['7days', 'start with a letter'],
    ['Shop', 'start with a letter'],
    ['my shop', 'start with a letter'],
    ['shop\n', 'start with a letter'],
    ['shop;rm -rf ~', 'start with a letter'],
    ['$(id)', 'start with a letter'],
    ['shop--2', 'single hyphens'],
    ['shop-', 'single hyphens'],
    ['кафе', 'start with a letter'],
    ['@/shop', 'scope'],
    ['@team/', 'empty'],
    ['@team/../shop', 'start with a letter'],
    ['x'.repeat(64), '64 characters'],
    ['node_modules', 'start with a letter'],
    ['http', 'module of Node.js'],
    ['fastify', 'depends on'],
    ['holdfast', 'depends on'],
    ['con', 'Windows'],
  ])('when it is %j, the refusal says why', (name, reason) => {
    expect(() => assertProjectName(name)).toThrow(reason)
  })

  test.each([
    ['My Shop', '--name my-shop'],
    ['Café_Noir', '--name cafe-noir'],
    ['7days', '--name days'],
    ['../shop', '--name shop'],
  ])('when it is %j, a name that would do is offered', (name, offer) => {
    expect(() => assertProjectName(name)).toThrow(offer)
  })
})
