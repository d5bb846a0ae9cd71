"""Check the types of every Python block of the documentation: a document's blocks are one program."""

import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def main() -> int:
    documents = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
    with TemporaryDirectory() as folder:
        programs = [
            _written(Path(folder), document, "\n".join(blocks))
            for document in documents
            if (blocks := BLOCK.findall(document.read_text(encoding="utf-8")))
        ]
        return subprocess.run([sys.executable, "-m", "mypy", "--strict", *programs], cwd=ROOT, check=False).returncode


def _written(folder: Path, document: Path, program: str) -> Path:
    """The program as a file whose name, which mypy will print, says which document it is from."""
    path = folder / f"{re.sub(r'[^A-Za-z0-9]', '_', str(document.relative_to(ROOT)))}.py"
    path.write_text(program, encoding="utf-8")
    return path


if __name__ == "__main__":
    sys.exit(main())
