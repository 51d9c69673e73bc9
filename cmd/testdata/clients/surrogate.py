"""Sends half of a character, which is no Unicode."""
from jobline import Jobline

jobline = Jobline()
half = "\ud83d"
try:
    jobline.call("submit", type="noop", labels={"word": half})
except RuntimeError as failure:
    print("error", failure.args[0]["code"])
whole = half.encode("utf-8", "replace").decode()  # "?"
print("word", jobline.call("submit", type="noop", labels={"word": whole})["labels"]["word"])
jobline.call("shutdown")
print("exit", jobline.process.wait())
