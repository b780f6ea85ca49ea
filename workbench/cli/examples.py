"""What ``--help`` shows of each command: its group, and examples; a test runs the parser over them."""

GROUPS: dict[str, tuple[str, ...]] = {
    "the workbench": ("up", "status", "doctor", "down", "completion"),
    "data and trainings": (
        "data",
        "import",
        "submit",
        "sweep",
        "sweeps",
        "jobs",
        "job",
        "logs",
        "terminate",
        "retry",
    ),
    "models and what they answer": (
        "models",
        "model",
        "download",
        "deploy",
        "rollback",
        "predict",
        "corrections",
    ),
    "machines": ("plan", "launch", "machines", "stop", "start", "release"),
    "AWS": ("prices", "costs", "audit", "image", "adopt"),
}

BEGIN = (
    "workbench up",
    "workbench submit mnist-mlp --name digits --wait",
    "workbench deploy digits",
    "workbench predict drawing.png",
)
"""What somebody types who has never seen this."""

EXAMPLES: dict[str, tuple[str, ...]] = {
    "up": ("workbench up", "workbench up --detach", "workbench up --only dashboard"),
    "status": ("workbench status", "workbench status --json"),
    "doctor": ("workbench doctor", "workbench doctor --provider aws"),
    "down": ("workbench down",),
    "completion": ('eval "$(workbench completion bash)"', "workbench completion fish"),
    "data": (
        "workbench data",
        "workbench data add flowers photos/ --size 64x64",
        "workbench data add houses houses.csv --target price --number",
        "workbench data show flowers",
        "workbench data recipe houses my-recipe",
    ),
    "import": (
        "workbench import from-colab.ipynb my-recipe",
        "workbench import from-colab.ipynb my-recipe --json",
    ),
    "submit": (
        "workbench submit mnist-mlp --name digits --wait",
        "workbench submit my-recipe --name digits --ps 1 --workers 2 --epochs 5",
        "workbench submit notebooks/00-mnist-cnn.ipynb --name digits --provider aws --type c5.xlarge",
    ),
    "sweep": (
        "workbench sweep my-recipe --name digits --set UNITS=64,128 --set RATE=1e-4..1e-1:log --trials 20",
        "workbench sweep my-recipe --name digits --set BATCH_SIZE=32,64 --plan",
        "workbench sweep my-recipe --name digits --set UNITS=16..256 --provider aws --max-price 5 --detach",
    ),
    "sweeps": (
        "workbench sweeps",
        "workbench sweeps digits-sweep-1a2b3c4d --html sweep.html",
        "workbench sweeps digits-sweep-1a2b3c4d --stop",
    ),
    "jobs": ("workbench jobs", "workbench jobs --state failed --requester ann"),
    "job": ("workbench job 7", "workbench job 7 --json"),
    "logs": ("workbench logs 7 --follow", "workbench logs 7 --role worker --index 1"),
    "terminate": ("workbench terminate 7",),
    "retry": ("workbench retry 7", "workbench retry 7 --anew"),
    "models": ("workbench models",),
    "model": ("workbench model digits", "workbench model digits:3 --json"),
    "download": ("workbench download digits digits.zip", "workbench download digits:3 --html digits.html"),
    "deploy": (
        "workbench deploy digits",
        'workbench deploy digits:3 --canary 10 --reason "to try it"',
        "workbench deploy digits --to aws",
    ),
    "rollback": ("workbench rollback digits",),
    "predict": (
        "workbench predict drawing.png",
        "workbench predict photo.jpg --model model.onnx --size 224x224x3",
    ),
    "corrections": ("workbench corrections", "workbench corrections accept --all --writer ann"),
    "plan": (
        "workbench plan cluster --ps 1 --workers 4 --recipe mnist-best",
        "workbench plan cluster --provider aws --type c5.xlarge --workers 2 --recipe mnist-best",
        "workbench plan app --provider aws",
    ),
    "launch": (
        "workbench launch cluster --name lab --ps 1 --workers 2",
        "workbench launch app --provider aws",
    ),
    "machines": ("workbench machines", "workbench machines app --provider aws"),
    "stop": ("workbench stop cluster --name lab",),
    "start": ("workbench start cluster --name lab",),
    "release": ("workbench release cluster --name lab", "workbench release app --provider aws"),
    "prices": ("workbench prices",),
    "costs": ("workbench costs", "workbench costs --month 2026-11 --csv costs.csv"),
    "audit": ("workbench audit", "workbench audit --fix"),
    "image": ("workbench image", "workbench image build", "workbench image remove"),
    "adopt": ("workbench adopt",),
}
