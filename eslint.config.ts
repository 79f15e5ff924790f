import tseslint from 'typescript-eslint';

/** Time and fetching go through their one door each, so that tests can replace them and nobody can forget a deadline. */
const ONE_DOOR = [
  { name: 'fetch', message: 'use src/untrusted-fetch.ts' },
  { name: 'setTimeout', message: 'use Clock.sleep' },
  { name: 'setInterval', message: 'use Clock.sleep' },
];

export default tseslint.config(
  { ignores: ['dist', 'node_modules', 'scripts/*.cjs', 'scripts/*.mjs'] },
  ...tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/require-await': 'off',
      'no-restricted-globals': ['error', ...ONE_DOOR],
      'no-restricted-properties': ['error', { object: 'Date', property: 'now', message: 'use Clock.now' }],
      'max-lines': ['error', { max: 300, skipBlankLines: true, skipComments: true }],
    },
  },
  { files: ['src/clock.ts'], rules: { 'no-restricted-globals': 'off', 'no-restricted-properties': 'off' } },
  {
    files: ['test/**', 'scripts/**', 'eslint.config.ts'],
    rules: {
      'no-restricted-globals': 'off',
      'no-restricted-properties': 'off',
      '@typescript-eslint/no-unused-expressions': 'off',
      'max-lines': 'off',
    },
  },
);
