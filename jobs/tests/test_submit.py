#!/usr/bin/env python3
"""jobs/submit.sh, the figures and jobs/collect.sh without a Slurm: the scripts they write, the mistakes they refuse,
what they hand to sbatch (a stand-in that keeps it). What Slurm makes of it is test_slurm.py's matter.

    test_submit.py PQBERT MPIEXEC

Needs Python's standard library. Works in a temporary folder."""

import os
import pathlib
import re
import shutil
import subprocess
import unittest

from sweeps import InFolder, call, programs

JOBS = pathlib.Path(__file__).resolve().parents[1]
PQBERT = MPIEXEC = None
CONFIG = "layers=1,hidden=24,heads=4,ffn=20,vocab=30,max_seq=20"
MEMORY = re.compile(r"memory P0 \d+ MB, P1 \d+ MB, P2 \d+ MB")
SBATCH = """#!/bin/bash
[ "$1" = --parsable ] || exit 9
script=$(cat)
case $script in *partition=closed*) printf 'sbatch: error: %s\\n' "invalid partition" failed >&2; exit 1 ;; esac
n=$(ls kept.* 2>/dev/null | wc -l)
printf '%s\\n' "$script" >kept.$n
echo $((41 + n))
"""


class Submit(InFolder):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        call(PQBERT, "model", "synth", "--config", CONFIG, "--out", "m")
        call(PQBERT, "model", "synth", "--config", "bert-base", "--out", "base")

    def setUp(self):
        for kept in self.folder.glob("kept.*"):
            kept.unlink()
        pathlib.Path("bin").mkdir(exist_ok=True)
        pathlib.Path("bin/sbatch").write_text(SBATCH, encoding="ascii")
        pathlib.Path("bin/sbatch").chmod(0o755)

    def call(self, script, line, slurm=True, **more):
        path = f"{self.folder}/bin:{os.environ['PATH']}" if slurm else os.environ["PATH"]
        return subprocess.run([JOBS / script] + line.split(), capture_output=True, text=True, check=False,
                              stdin=subprocess.DEVNULL, env=os.environ | {"PATH": path} | more)

    def submit(self, line, code=0, **more):
        done = self.call("submit.sh", f"--program {PQBERT} {line}", **more)
        self.assertEqual(done.returncode, code, done)
        return done

    def mistake(self, line, *words, **more):
        with self.subTest(line=line):
            done = self.submit(line, 2, **more)
            self.assertEqual(done.stdout, "")
            self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
            for word in ("submit.sh: ",) + words:
                self.assertIn(word, done.stderr)
            self.assertEqual(list(self.folder.glob("kept.*")), [], "something was submitted")

    def test_mistakes(self):
        right = "--model m --out r.h5"
        self.mistake("--out r.h5 -- --seq 4", "--model")
        self.mistake("--model m -- --seq 4", "--out")
        self.mistake(right, "--seq")
        self.mistake(f"{right} --seq 4", "'--seq'", "behind --")
        self.mistake(f"{right} stray -- --seq 4", "'stray'")
        self.mistake(f"{right} --out s.h5 -- --seq 4", "--out", "twice")
        self.mistake("--model m --out", "--out", "value")
        self.mistake("--model m --out r.txt -- --seq 4", "r.txt", ".h5")
        self.mistake("--model m --out none/r.h5 -- --seq 4", "none/r.h5", "folder")
        self.mistake("--model none --out r.h5 -- --seq 4", "none.secret.h5")
        for value in ("0", "two", "1,", "-1", "1.5"):
            self.mistake(f"{right} --nodes {value} -- --seq 4", "--nodes", value)
        self.mistake(f"{right} --launcher ssh -- --seq 4", "--launcher", "ssh", "srun", "mpirun")
        self.mistake(f"{right} --memory much -- --seq 4", "--memory", "much")
        self.mistake(f"{right} --time soon -- --seq 4", "--time", "soon")
        self.mistake(f"{right} -- --seq 21", "length 21", "20 tokens")
        self.mistake(f"{right} -- --seq 4 --colour red", "--colour")
        self.mistake(f"{right} -- --seq 4 --protocol fancy", "fancy")
        self.mistake(f"{right} -- --seq 4 --ranks 2", "--ranks 2", "1 ranks per party")
        self.mistake(f"{right} -- --seq 4 --threads 1,2", "--threads 2", "1 cores", "--threads-per-rank")
        self.mistake(f"{right} --nodes 5 -- --seq 4", "5 ranks per party", "4 attention heads")
        self.mistake(f"{right} --nodes 1,5 -- --seq 4", "5 ranks per party", "4 attention heads")
        for option in ("--model m", "--out r.h5", "--out=r.h5"):
            self.mistake(f"{right} -- --seq 4 {option}", option[:5], "before")
        self.mistake(f"{right} -- --seq 4 --resume", "--resume", "always")
        self.mistake(f"{right} --partition closed -- --seq 4", "sbatch refused", "invalid partition")
        if not shutil.which("sbatch"):
            self.mistake(f"{right} -- --seq 4", "no sbatch", slurm=False)

    def test_script(self):
        options = ("--model m --out r.h5 --nodes 2 --ranks-per-node 2 --threads-per-rank 3 --partition p --account a "
                   "--time 1-02:03:04 --name n --modules gcc/12,openmpi --sbatch --exclusive --sbatch --constraint=x")
        dry = self.submit(f"{options} --dry-run -- --seq 4,8 --threads 1,3").stdout
        self.assertEqual(list(self.folder.glob("kept.*")), [])
        said = self.submit(f"{options} -- --seq 4,8 --threads 1,3").stdout
        self.assertEqual(said, f"job 41: progress in {self.folder}/r.log\n")
        script = pathlib.Path("kept.0").read_text(encoding="utf-8")
        self.assertEqual(script, dry)
        subprocess.run(["bash", "-n", "kept.0"], check=True)
        lines = script.splitlines()
        self.assertEqual(lines[0], "#!/bin/bash -l")
        directives = {line[8:] for line in lines if line.startswith("#SBATCH ")}
        self.assertLessEqual({"--job-name=n", "--partition=p", "--account=a", "--nodes=6", "--ntasks-per-node=2",
                              "--cpus-per-task=3", "--time=1-02:03:04", f"--output={self.folder}/r.log", "--exclusive",
                              "--constraint=x", "--open-mode=append", "--dependency=singleton"}, directives)
        first = next(i for i, line in enumerate(lines) if not line.startswith("#"))
        self.assertTrue(all(i < first for i, line in enumerate(lines) if line.startswith("#SBATCH")),
                        "Slurm reads no directive behind a command")
        self.assertRegex(script, r"min for 48 repetitions; " + MEMORY.pattern)
        self.assertIn("\nmodule load gcc/12 openmpi\n", script)
        launch = next(line for line in lines if line.startswith("srun "))
        self.assertIn("--mpi=pmix --kill-on-bad-exit=1 --distribution=block --nodes=6 --ntasks=12 --ntasks-per-node=2 "
                      f"--cpus-per-task=3 {PQBERT} sweep --model {self.folder}/m --out {self.folder}/r.h5 --resume "
                      "--seq 4,8 --threads 1,3 ", launch)

    def test_defaults(self):
        script = self.submit("--model m --out r.h5 --threads-per-rank 2 --dry-run -- --seq 4").stdout
        self.assertIn(" --seq 4 --threads 2 ", script)
        self.assertRegex(script, r"(?m)^#SBATCH --time=\d+$")
        memory = int(re.search(r"(?m)^#SBATCH --mem=(\d+)M$", script).group(1))
        predicted = [int(n) for n in re.findall(r"P\d (\d+) MB", script)]
        self.assertGreater(memory, max(predicted))
        self.assertNotIn("module", script)
        self.assertNotIn("--partition", script)
        self.assertNotIn("--mem", self.submit("--model m --out r.h5 --memory none --dry-run -- --seq 4").stdout)
        script = self.submit("--model m --out r.h5 --launcher mpirun --nodes 2 --dry-run -- --seq 4").stdout
        self.assertIn("mpirun -n 6 --map-by ppr:1:node --bind-to none ", script)
        done = self.submit("--help")
        self.assertIn("--threads-per-rank", done.stdout)

    def test_exit_code(self):
        """The batch script ends as the sweep did; a launcher that a signal ended is the world's failure."""
        script = self.submit("--model m --out r.h5 --dry-run -- --seq 4").stdout
        for launcher, code in ((0, 0), (1, 1), (2, 2), (3, 3), (137, 1), (143, 1)):
            pathlib.Path("bin/srun").write_text(f"#!/bin/bash\nexit {launcher}\n", encoding="ascii")
            pathlib.Path("bin/srun").chmod(0o755)
            done = subprocess.run(["bash"], input=script, text=True, check=False,
                                  env=os.environ | {"PATH": f"{self.folder}/bin:{os.environ['PATH']}"})
            self.assertEqual(done.returncode, code)

    def test_array(self):
        self.submit("--model m --out r.h5 --nodes 1,2 --ranks-per-node 1,2 --threads-per-rank 1,4 -- --seq 4")
        for nodes, number in ((1, 0), (2, 1)):
            script = pathlib.Path(f"kept.{number}").read_text(encoding="utf-8")
            self.assertIn(f"#SBATCH --nodes={3 * nodes}\n#SBATCH --array=0-3\n#SBATCH --ntasks-per-node=8\n", script)
            self.assertIn(f"--output={self.folder}/r-{nodes}-%a.log\n", script)
            for task, (ranks, threads) in enumerate(((1, 1), (1, 4), (2, 1), (2, 4))):
                self.assertRegex(script, rf"(?m)^{task}\) srun .* --ntasks={3 * nodes * ranks} "
                                         rf"--ntasks-per-node={ranks} --cpus-per-task={threads} "
                                         rf".*/r-{nodes}x{ranks}x{threads}\.h5 .*;;$")
        self.assertFalse(pathlib.Path("kept.2").exists())

    def test_figures(self):
        """Each opens with the memory that cost predicts today. PQ_UPDATE_EXPECTED=1 writes it there."""
        figures = sorted(p for p in (JOBS / "figures").glob("*.sh") if p.name != "common.sh")
        self.assertGreaterEqual(len(figures), 6)
        for figure in figures:
            with self.subTest(figure=figure.name):
                done = self.call(f"figures/{figure.name}", f"--program {PQBERT} --partition p --dry-run",
                                 PQ_MODEL=f"{self.folder}/base", PQ_FOLDER=f"{self.folder}/figures")
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                predicted = MEMORY.findall(done.stdout)
                text = figure.read_text(encoding="utf-8")
                if os.environ.get("PQ_UPDATE_EXPECTED") == "1":
                    left = iter(predicted)
                    text = MEMORY.sub(lambda _, left=left: next(left), text)
                    figure.write_text(text, encoding="utf-8")
                head = text.split("\nsource ")[0]
                self.assertRegex(head, r"(?m)^# Expected: .* min")
                self.assertEqual(MEMORY.findall(head), predicted)
                self.assertEqual(done.stdout.count("#SBATCH --partition=p"), done.stdout.count("#!/bin/bash"))

    def test_collect(self):
        environment = {"PQ_PROGRAM": PQBERT}
        for name, seq in (("a", 3), ("b", 4)):
            pathlib.Path("parts").mkdir(exist_ok=True)
            sweep = f"sweep --model m --seq {seq} --repeat 1 --warmup 0 --out parts/{name}.h5"
            call(MPIEXEC, "-n", "3", PQBERT, *sweep.split())
        done = self.call("collect.sh", "all.h5 parts", **environment)
        self.assertEqual(done.returncode, 0, done)
        self.assertIn("2 points, 2 repetitions", done.stdout)
        for line, word in (("all.h5 parts", "all.h5: exists already"), ("", "collect.sh: give OUT.h5"),
                           ("x.h5", "collect.sh: give OUT.h5"), ("x.h5 parts/a.h5 parts/a.h5", "the same measurement"),
                           ("x.h5 figures", "no .h5 file"), ("x.h5 --all parts", "--all"), ("x.h5 none.h5", "none.h5")):
            pathlib.Path("figures").mkdir(exist_ok=True)
            done = self.call("collect.sh", line, **environment)
            self.assertEqual((done.returncode, done.stdout, done.stderr.count("\n")), (2, "", 1), done)
            self.assertIn(word, done.stderr)
        self.assertFalse(pathlib.Path("x.h5").exists())


if __name__ == "__main__":
    PQBERT, MPIEXEC = programs(__doc__)
    unittest.main()
