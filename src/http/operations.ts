import type { Operation } from './operation.js';
import { apiKeyOperations } from './routes/api-keys.js';
import { banOperations } from './routes/bans.js';
import { bindingOperations } from './routes/bindings.js';
import { callScriptOperations } from './routes/call-scripts.js';
import { contractOperations } from './routes/contract.js';
import { credentialOperations } from './routes/credentials.js';
import { deregistrationOperations } from './routes/deregistrations.js';
import { domainOperations } from './routes/domains.js';
import { failedRegistrationOperations } from './routes/failed-registrations.js';
import { locationOperations } from './routes/locations.js';
import { serverOperations } from './routes/server.js';
import { userOperations } from './routes/users.js';

/** All there is: what the application serves and what the contract describes. */
export const operations: readonly Operation[] = [
  ...domainOperations,
  ...userOperations,
  ...callScriptOperations,
  ...credentialOperations,
  ...bindingOperations,
  ...deregistrationOperations,
  ...locationOperations,
  ...failedRegistrationOperations,
  ...banOperations,
  ...apiKeyOperations,
  ...serverOperations,
  ...contractOperations,
];
