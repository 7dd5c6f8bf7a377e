const known: Readonly<Record<string, string>> = {
  vscode: 'vscode://file/{file}:{line}:{column}',
  'vscode-insiders': 'vscode-insiders://file/{file}:{line}:{column}',
  code: 'vscode://file/{file}:{line}:{column}',
  cursor: 'cursor://file/{file}:{line}:{column}',
  windsurf: 'windsurf://file/{file}:{line}:{column}',
  zed: 'zed://file/{file}:{line}:{column}',
  webstorm: 'webstorm://open?file={file}&line={line}&column={column}',
  idea: 'idea://open?file={file}&line={line}&column={column}',
  sublime: 'subl://open?url=file://{file}&line={line}&column={column}',
};

/** The URL that opens a place in the developer's editor; one that could run script is not taken. */
export function editorTemplate(name: string | undefined): string {
  const wanted = name ?? process.env['SOBAYA_EDITOR'] ?? 'vscode';
  const template = known[wanted.toLowerCase()] ?? wanted;
  if (!/^[a-z][a-z\d+.-]*:\/\/.*\{file\}/i.test(template) || /^(?:javascript|data|vbscript):/i.test(template))
    return known['vscode'] as string;
  return template;
}
