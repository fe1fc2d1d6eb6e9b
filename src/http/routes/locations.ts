import { locationContactBody } from '../bodies/binding-body.js';
import { printAddress } from '../bodies/wire-text.js';
import { exampleLocation } from '../examples.js';
import { type Operation, operation } from '../operation.js';
import { Problem } from '../problem.js';
import { reaches, readAor } from '../reach.js';
import { ok } from '../reply.js';
import { location, locationQuery } from '../schemas/location.js';

const getLocation = operation({
  operationId: 'getLocation',
  method: 'get',
  path: '/v1/locations',
  tag: 'Locations',
  summary: 'Where a user is now',
  description:
    'What a proxy would be told (RFC 3261 §16.5): the current contacts of the address, by falling q, then newest first. An address nobody is registered for gets an empty list, whether there is such a user or not; a domain that is not served gets 404. An alias of a domain counts as the domain.',
  access: 'bindings:read',
  query: locationQuery,
  successes: [
    {
      status: 200,
      description: 'Where the user is; nowhere, if contacts is empty.',
      schema: location,
      examples: {
        registered: { summary: 'One phone', value: exampleLocation },
        nowhere: { summary: 'No phone', value: { aor: exampleLocation.aor, contacts: [] } },
      },
    },
  ],
  problems: ['domain_not_found'],
  async handle({ query, deps, principal }) {
    const aor = readAor(deps.accounts, query.aor);
    if (aor === undefined) {
      return new Problem('validation_failed', undefined, [
        { parameter: 'aor', code: 'invalid_format', detail: 'This is no address-of-record.' },
      ]);
    }
    if (deps.accounts.domainByHost(aor.domain) === undefined || !reaches(principal, aor.domain)) {
      return new Problem('domain_not_found', `There is no domain ${aor.domain}.`);
    }
    const found = await deps.location.locate(aor);
    const now = deps.clock.now();
    return ok({
      aor: printAddress(found.aor),
      contacts: found.contacts.map((contact) => locationContactBody(contact, now)),
    });
  },
});

export const locationOperations: readonly Operation[] = [getLocation];
