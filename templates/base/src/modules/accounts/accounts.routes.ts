import { del, empty, get, pageOf, patch, post, roles } from 'holdfast/http'
import { z } from 'zod'
import { person } from '../../platform/rights.ts'
import type { AccountsController } from './accounts.controller.ts'
import {
  Account,
  AccountChange,
  AccountQuery,
  AuditItem,
  AuditQuery,
  Credentials,
  Id,
  Me,
  NewAccount,
  PasswordChange,
  Refresh,
  RefreshCookie,
  Registration,
  SessionItem,
  Tokens,
} from './accounts.schema.ts'

const admin = roles('admin')

export const accountsRoutes = (accounts: AccountsController) => [
  post(
    '/auth/register',
    { access: 'public', limit: 'register', body: NewAccount, reply: { 202: Registration } },
    (call) => accounts.register(call),
  ),
  post(
    '/auth/login',
    { access: 'public', limit: ['login', 'account'], body: Credentials, reply: { 200: Tokens } },
    (call) => accounts.signIn(call),
  ),
  post(
    '/auth/refresh',
    { access: 'public', limit: 'login', body: Refresh, cookies: RefreshCookie, reply: { 200: Tokens } },
    (call) => accounts.refresh(call),
  ),
  // Whoever holds the refresh token may end what it would go on with, also long after the access token expired.
  post(
    '/auth/logout',
    { access: 'public', limit: 'login', body: Refresh, cookies: RefreshCookie, reply: { 204: empty } },
    (call) => accounts.signOut(call),
  ),
  post('/auth/logout-everywhere', { access: person, reply: { 204: empty } }, (call) =>
    accounts.signOutEverywhere(call),
  ),

  get('/me', { access: person, reply: { 200: Me } }, (call) => accounts.me(call)),
  post('/me/password', { access: person, limit: 'password', body: PasswordChange, reply: { 204: empty } }, (call) =>
    accounts.changePassword(call),
  ),
  get('/me/sessions', { access: person, reply: { 200: z.array(SessionItem) } }, (call) => accounts.sessions(call)),
  del('/me/sessions/:id', { access: person, params: Id, reply: { 204: empty } }, (call) => accounts.endSession(call)),

  get('/accounts', { access: admin, query: AccountQuery, reply: { 200: pageOf(Account) } }, (call) =>
    accounts.list(call),
  ),
  get('/accounts/audit', { access: admin, query: AuditQuery, reply: { 200: pageOf(AuditItem) } }, (call) =>
    accounts.audit(call),
  ),
  patch('/accounts/:id', { access: admin, params: Id, body: AccountChange, reply: { 200: Account } }, (call) =>
    accounts.change(call),
  ),
]
