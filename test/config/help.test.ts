import { expect, it, vi } from 'vitest';
import { runCli } from '../../src/cli/cli.js';
import { describeSettings } from '../../src/config/config.js';

it('serve --help lists every setting, and ends well', async () => {
  let printed = '';
  const stdout = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed += String(text);
    return true;
  });
  try {
    expect(await runCli(['node', 'sip-registrar', 'serve', '--help'])).toBe(0);
  } finally {
    stdout.mockRestore();
  }
  expect(printed).toContain('--config <file>');
  expect(printed).toContain(describeSettings());
});
