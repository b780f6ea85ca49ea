// The way back to the workbench for who came from there: the port of its dashboard is in the address. Nobody else is shown one.

/** The dashboard's first page, on the same host; "" where no port is told. */
export function wayBack({ protocol, hostname, search }) {
  const port = new URLSearchParams(search).get("dashboard") ?? "";
  return /^[1-9]\d{0,4}$/.test(port) && Number(port) < 65536 ? `${protocol}//${hostname}:${port}/workbench` : "";
}
