#!/usr/bin/env bash
# Runs the extension in a real VS Code, which needs no screen: code-server of npm, and Chromium.
# It is for people and no part of CI, since it brings some 500 MB. It needs jobline in PATH,
# Node 20 with its headers, npm, a C++ compiler and Chromium ($CHROMIUM, or chromium in PATH).
# Usage: real.sh SCREENSHOT.png
set -euo pipefail

readonly screenshot=$(realpath "$1")
readonly tests=$(cd "$(dirname "$0")" && pwd)
readonly extension=$tests/../../../../docs/editors/vscode
readonly modules=${JOBLINE_CLIENTS:-$HOME/.cache/jobline-clients}/vscode-real
readonly server=$modules/node_modules/code-server
export npm_config_nodedir npm_config_loglevel=error npm_config_audit=false npm_config_fund=false
npm_config_nodedir=$(dirname "$(dirname "$(command -v node)")") # where its headers are

# The version of code-server is that of VS Code, 1.90, which is the oldest for the extension.
# Its own installation builds more than is needed here, and downloads from elsewhere.
install() {
  mkdir -p "$modules"
  npm install --prefix "$modules" --no-save --ignore-scripts code-server@4.90.3 @vscode/vsce@3.9.2 playwright-core@1.61.0 \
    typescript@5.9.3 @types/node@20.19.43 @types/vscode@1.90.0
  (cd "$modules" && npm_config_build_from_source=true npm rebuild argon2)
  cd "$server/lib/vscode"
  npm install --legacy-peer-deps --omit=dev --ignore-scripts
  npm rebuild node-pty @vscode/spdlog native-watchdog @parcel/watcher
  ln -sfn node_modules node_modules.asar
  (cd extensions && npm install --legacy-peer-deps --omit=dev --ignore-scripts)
  touch "$modules/installed"
}

[[ -e $modules/installed ]] || (install)
home=$(mktemp -d)
readonly home
chmod 700 "$home"
export HOME=$home XDG_STATE_HOME=$home XDG_RUNTIME_DIR=$home
jobline=$(command -v jobline)
pid=
trap '[[ -z $pid ]] || kill "$pid"; "$jobline" shutdown --mode cancel >/dev/null || true; rm -rf "$home"' EXIT

mkdir "$home/extension"
tar -ch -C "$extension" --exclude node_modules --exclude out . | tar -x -C "$home/extension"
ln -sfn "$modules/node_modules" "$home/extension/node_modules"
mkdir -p "$home"/{schema,folder/src,data/User,data/Machine}
cp "$extension/../../../schema/jobline.d.ts" "$home/schema/"
sed -i 's|\.\./\.\./\.\./\.\./schema|../../schema|' "$home"/extension/src/*.ts
(cd "$home/extension" && PATH=$modules/node_modules/.bin:$PATH vsce package --no-dependencies --out "$home/jobline.vsix")
options=(--user-data-dir "$home/data" --extensions-dir "$home/extensions")
node "$server/out/node/entry.js" "${options[@]}" --install-extension "$home/jobline.vsix"

printf 'int main(void) {\n  return x;\n}\n' >"$home/folder/src/a.c"
echo "{\"jobline.path\": \"$jobline\"}" >"$home/data/Machine/settings.json"
echo '{"workbench.startupEditor": "none", "workbench.colorTheme": "Default Light Modern", "terminal.integrated.gpuAcceleration": "off"}' >"$home/data/User/settings.json"
socket=127.0.0.1:18090
node "$server/out/node/entry.js" "${options[@]}" --auth none --bind-addr "$socket" --disable-telemetry --disable-update-check --disable-workspace-trust >"$home/log" 2>&1 &
pid=$!
NODE_PATH=$modules/node_modules node "$tests/real.js" "http://$socket/?folder=$home/folder" "$screenshot"
