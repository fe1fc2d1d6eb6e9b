import { describe } from 'vitest';
import { openStore } from '../store/open-store.js';
import { testAccountStore } from './account-store.js';
import { testAdminStore } from './admin-store.js';
import { testBanStore } from './ban-store.js';
import { testLocationStore } from './location-store.js';

describe('bindings in SQLite', () => testLocationStore(async () => openStore({ path: ':memory:' }).store));
describe('accounts in SQLite', () => testAccountStore(async () => openStore({ path: ':memory:' }).store));
describe('API keys in SQLite', () => testAdminStore(async () => openStore({ path: ':memory:' }).store.admin));
describe('bans in SQLite', () => testBanStore(async () => openStore({ path: ':memory:' }).store.bans));
