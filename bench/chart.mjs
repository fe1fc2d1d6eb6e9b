/** A horizontal bar chart as SVG text: one bar an entry, the longest as long as there is room. */
export function drawBars(title, entries) {
  const rowHeight = 52;
  const width = 760;
  const barLeft = 20;
  const barRoom = 600;
  const longest = Math.max(...entries.map(({ value }) => value));
  const rows = entries.map(({ label, note, value }, index) => {
    const y = 56 + index * rowHeight;
    const length = Math.max(2, (value / longest) * barRoom);
    return [
      `<text x="${barLeft}" y="${y}" font-size="13">${escapeXml(label)} <tspan fill="#666">(${escapeXml(note)})</tspan></text>`,
      `<rect x="${barLeft}" y="${y + 6}" width="${length.toFixed(1)}" height="18" rx="3" fill="${index === entries.length - 1 ? '#2f6f4f' : '#8aa0b4'}"/>`,
      `<text x="${(barLeft + length + 8).toFixed(1)}" y="${y + 20}" font-size="13">${Math.round(value).toLocaleString('en')}</text>`,
    ].join('\n  ');
  });
  const height = 64 + entries.length * rowHeight;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif">
  <rect width="${width}" height="${height}" fill="#fff"/>
  <text x="${barLeft}" y="28" font-size="16" font-weight="bold">${escapeXml(title)}</text>
  ${rows.join('\n  ')}
</svg>
`;
}

function escapeXml(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
