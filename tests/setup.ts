/**
 * Loaded before every test file. Property tests draw from a fixed seed, so that a run says something about the
 * change and not about luck; SOBAYA_SEED=random (or a number) explores.
 */
import fc from 'fast-check';

const wanted = process.env['SOBAYA_SEED'] ?? '20261124';
if (wanted !== 'random') fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(wanted) });
