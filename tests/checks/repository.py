#!/usr/bin/env python3
"""Checks on the repository's files as such.

    repository.py [CHECK...]     all checks, or those named; exit code 0 or 1
    repository.py --self-test

    file_sizes     no file over 1 MiB
    links          relative links in *.md lead to files that exist
    shell_syntax   every shell script passes bash -n
    local_traces   no file names a home folder, or a package mirror by host: what is true of one
                   machine only belongs in no file
"""

import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

SIZE_MAX_BYTES = 1 << 20
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)")
CODE_FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
# Home folders of people and work folders of machines, and hosts that only one network can reach.
TRACE = re.compile(
    r"(?<![\w.$}/-])/(?:home|Users)/(?!\$|USER\b|user\b|nonroot\b)[a-z][\w.-]*"
    r"|(?<![\w.$}/-])/(?:root|work|workspace|mnt)/[\w.-]+"
    r"|https?://(?:10\.\d+|192\.168|172\.(?:1[6-9]|2\d|3[01]))\.\d+"
    r"|https?://[\w.-]+\.(?:internal|corp|lan|local)\b"
    # Package registries and mirrors, whatever their names.
    r"|https?://[\w.-]+/(?:debian(?:-security)?|simple|packages)\b")


def tracked(root):
    listed = subprocess.run(["git", "-C", str(root), "ls-files", "-co", "--exclude-standard"],
                            capture_output=True, text=True, check=False)
    if listed.returncode == 0:
        names = listed.stdout.splitlines()
    else:
        names = [str(p.relative_to(root)) for p in root.rglob("*") if p.is_file()]
    return [name for name in names if (root / name).is_file()]


def text_of(path):
    """The file's text, or None for a binary file."""
    content = path.read_bytes()
    return None if b"\0" in content[:8192] else content.decode("utf-8", "replace")


def file_sizes(root):
    for name in tracked(root):
        size = (root / name).stat().st_size
        if size > SIZE_MAX_BYTES:
            yield f"{name}: {size} bytes, {SIZE_MAX_BYTES} at most"


def links(root):
    for name in tracked(root):
        if not name.endswith(".md"):
            continue
        text = CODE_FENCE.sub("", text_of(root / name) or "")
        for target in LINK.findall(text):
            if re.match(r"[a-z][a-z0-9+.-]*:", target) or target.startswith("#"):
                continue
            target = target.split("#")[0]
            base = root if target.startswith("/") else (root / name).parent
            if not (base / target.lstrip("/")).exists():
                yield f"{name}: link to {target}, which does not exist"


def is_shell(path):
    if path.suffix in (".sh", ".bash"):
        return True
    with path.open("rb") as file:
        return bool(re.match(rb"#!.*\b(ba)?sh\b", file.readline(200)))


def shell_syntax(root):
    for name in tracked(root):
        if is_shell(root / name):
            run = subprocess.run(["bash", "-n", str(root / name)], capture_output=True, text=True,
                                 check=False)
            if run.returncode:
                yield f"{name}: {run.stderr.strip().replace(str(root) + '/', '')}"


def local_traces(root):
    for name in tracked(root):
        if name.startswith("tests/checks/repository.py"):
            continue  # its self-test writes such lines
        text = text_of(root / name)
        for number, line in enumerate((text or "").splitlines(), 1):
            match = TRACE.search(line)
            if match:
                yield f"{name}:{number}: {match.group(0)}"


CHECKS = {"file_sizes": file_sizes, "links": links, "shell_syntax": shell_syntax,
          "local_traces": local_traces}


class RepositoryTest(unittest.TestCase):
    def offences(self, check, name, content):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            return list(check(pathlib.Path(folder)))

    def test_a_file_at_the_size_limit_passes_and_one_byte_more_does_not(self):
        self.assertEqual(self.offences(file_sizes, "a.bin", b"x" * SIZE_MAX_BYTES), [])
        self.assertEqual(len(self.offences(file_sizes, "a.bin", b"x" * (SIZE_MAX_BYTES + 1))), 1)

    def test_a_broken_link_is_found_and_others_are_not(self):
        self.assertEqual(len(self.offences(links, "docs/a.md", b"see [b](b.md#part)")), 1)
        for good in (b"[a](a.md)", b"[web](https://example.org/x)", b"[here](#part)",
                     b"```\n[code](nowhere)\n```"):
            self.assertEqual(self.offences(links, "docs/a.md", good), [], good)

    def test_a_script_that_does_not_parse_is_found_by_suffix_and_by_its_first_line(self):
        broken = b"#!/usr/bin/env bash\nif true; then\n"
        self.assertEqual(len(self.offences(shell_syntax, "a.sh", broken)), 1)
        self.assertEqual(len(self.offences(shell_syntax, "run", broken)), 1)
        self.assertEqual(self.offences(shell_syntax, "a.sh", b"true\n"), [])

    def test_paths_and_hosts_of_one_machine_are_found(self):
        for bad in (b"cd /home/alice/x", b'"/root/.cache/y"', b"/Users/bob/z",
                    b"https://mirror.example.org/debian", b"http://192.168.1.7/", b"http://a.corp/x"):
            self.assertEqual(len(self.offences(local_traces, "a.txt", bad)), 1, bad)
        for good in (b"/usr/bin/env", b"$HOME/.cache", b"https://example.org/a", b"~/.cache",
                     b"build/work/x", b"/var/lib/fourfold", b"http://127.0.0.1:8002/metrics"):
            self.assertEqual(self.offences(local_traces, "a.txt", good), [], good)


def main():
    if "--self-test" in sys.argv[1:]:
        sys.argv.remove("--self-test")
        unittest.main()
    names = sys.argv[1:] or list(CHECKS)
    unknown = [name for name in names if name not in CHECKS]
    if unknown:
        print(f"unknown check {', '.join(unknown)}; there are {', '.join(CHECKS)}", file=sys.stderr)
        return 2
    root = pathlib.Path(__file__).resolve().parents[2]
    failed = 0
    for name in names:
        found = list(CHECKS[name](root))
        for line in found:
            print(f"{name}: {line}")
        print(f"{name}: {len(found)} offences")
        failed += bool(found)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
