# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_windlass_global_optspecs
    string join \n o/output= repo= branch= context= config= color= q/quiet v/verbose log-file= h/help V/version
end

function __fish_windlass_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_windlass_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_windlass_using_subcommand
    set -l cmd (__fish_windlass_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c windlass -n "__fish_windlass_needs_command" -s o -l output -d 'Data on stdout: table, or json [default: table]' -r -f -a "table\t'Text for people'
json\t'One JSON object'"
complete -c windlass -n "__fish_windlass_needs_command" -l repo -d 'The config repo\'s address [env: WINDLASS_REPO]' -r
complete -c windlass -n "__fish_windlass_needs_command" -l branch -d 'Its branch [env: WINDLASS_BRANCH]' -r
complete -c windlass -n "__fish_windlass_needs_command" -l context -d 'A context of the user file [env: WINDLASS_CONTEXT]' -r
complete -c windlass -n "__fish_windlass_needs_command" -l config -d 'Read the map here, not from the config repo' -r -F
complete -c windlass -n "__fish_windlass_needs_command" -l color -d 'Colour: auto, always, never [default: auto]' -r -f -a "auto\t'On a terminal that can show it'
always\t'Always'
never\t'Never'"
complete -c windlass -n "__fish_windlass_needs_command" -l log-file -d 'Write the detailed log to this file as well' -r -F
complete -c windlass -n "__fish_windlass_needs_command" -s q -l quiet -d 'Say only what went wrong'
complete -c windlass -n "__fish_windlass_needs_command" -s v -l verbose -d 'Say more on stderr: -v what is asked, -vv every step'
complete -c windlass -n "__fish_windlass_needs_command" -s h -l help -d 'Print help'
complete -c windlass -n "__fish_windlass_needs_command" -s V -l version -d 'Print version'
complete -c windlass -n "__fish_windlass_needs_command" -f -a "deploy" -d 'Put a version of one or more services into an environment'
complete -c windlass -n "__fish_windlass_needs_command" -f -a "promote" -d 'Bring what one environment proved to the next, and nothing else'
complete -c windlass -n "__fish_windlass_needs_command" -f -a "rollback" -d 'Take releases back: one revert commit, limited to what is asked'
complete -c windlass -n "__fish_windlass_needs_command" -f -a "status" -d 'Show services by environments: what Git says, what Argo CD runs'
complete -c windlass -n "__fish_windlass_needs_command" -f -a "history" -d 'Show releases: what, who, when, why, and what took them back'
complete -c windlass -n "__fish_windlass_needs_command" -f -a "wait" -d 'Take up the watch for a commit, an intent or a service'
complete -c windlass -n "__fish_windlass_needs_command" -f -a "diff" -d 'Compare environments, commits, or Git with what runs'
complete -c windlass -n "__fish_windlass_needs_command" -f -a "edit" -d 'Change a value in a YAML file, byte for byte'
complete -c windlass -n "__fish_windlass_needs_command" -f -a "config" -d 'Show the settings in force and where each came from'
complete -c windlass -n "__fish_windlass_needs_command" -f -a "demo" -d 'Play deploys, a promotion, failures and rollbacks, explained'
complete -c windlass -n "__fish_windlass_needs_command" -f -a "sandbox" -d 'Run a command against a whole platform on loopback'
complete -c windlass -n "__fish_windlass_needs_command" -f -a "completions" -d 'Print the completion script of a shell'
complete -c windlass -n "__fish_windlass_needs_command" -f -a "man" -d 'Print the manual page'
complete -c windlass -n "__fish_windlass_needs_command" -f -a "version" -d 'Print the version and what it was built with'
complete -c windlass -n "__fish_windlass_using_subcommand deploy" -s e -l environment -d 'The environment' -r
complete -c windlass -n "__fish_windlass_using_subcommand deploy" -l version -d 'The version of every SERVICE that has none of its own' -r
complete -c windlass -n "__fish_windlass_using_subcommand deploy" -l image -d 'Another repository, tag or digest for the image NAME' -r
complete -c windlass -n "__fish_windlass_using_subcommand deploy" -l set -d 'Any value in the service\'s file; with several, FILE:PATH=VALUE' -r
complete -c windlass -n "__fish_windlass_using_subcommand deploy" -l expect-current -d 'Go on only if this version stands there now' -r
complete -c windlass -n "__fish_windlass_using_subcommand deploy" -s m -l message -d 'Record why, in the commit message' -r
complete -c windlass -n "__fish_windlass_using_subcommand deploy" -l intent -d 'At most one commit ever carries this id, however often it runs' -r
complete -c windlass -n "__fish_windlass_using_subcommand deploy" -l until -d 'How far to go: recorded, merged, synced, healthy [default: healthy]' -r -f -a "recorded\t'The commit stands on the branch'
merged\t'The change is merged; the same as recorded where windlass pushes'
synced\t'Argo CD applied it'
healthy\t'Argo CD runs it, healthy and proven'"
complete -c windlass -n "__fish_windlass_using_subcommand deploy" -l timeout -d 'Go on at most so long: 90s, 15m, 1h [default: 15m]' -r
complete -c windlass -n "__fish_windlass_using_subcommand deploy" -s o -l output -d 'Data on stdout: table, or json [default: table]' -r -f -a "table\t'Text for people'
json\t'One JSON object'"
complete -c windlass -n "__fish_windlass_using_subcommand deploy" -l repo -d 'The config repo\'s address [env: WINDLASS_REPO]' -r
complete -c windlass -n "__fish_windlass_using_subcommand deploy" -l branch -d 'Its branch [env: WINDLASS_BRANCH]' -r
complete -c windlass -n "__fish_windlass_using_subcommand deploy" -l context -d 'A context of the user file [env: WINDLASS_CONTEXT]' -r
complete -c windlass -n "__fish_windlass_using_subcommand deploy" -l config -d 'Read the map here, not from the config repo' -r -F
complete -c windlass -n "__fish_windlass_using_subcommand deploy" -l color -d 'Colour: auto, always, never [default: auto]' -r -f -a "auto\t'On a terminal that can show it'
always\t'Always'
never\t'Never'"
complete -c windlass -n "__fish_windlass_using_subcommand deploy" -l log-file -d 'Write the detailed log to this file as well' -r -F
complete -c windlass -n "__fish_windlass_using_subcommand deploy" -l not-older -d 'Refuse a version older than the one that stands'
complete -c windlass -n "__fish_windlass_using_subcommand deploy" -l rollback-on-failure -d 'Take the commit back when its sync fails or it is degraded'
complete -c windlass -n "__fish_windlass_using_subcommand deploy" -s n -l dry-run -d 'Show the change as a unified diff, and write nothing'
complete -c windlass -n "__fish_windlass_using_subcommand deploy" -l no-wait -d 'The same as --until recorded'
complete -c windlass -n "__fish_windlass_using_subcommand deploy" -s y -l yes -d 'Answer every confirmation with yes'
complete -c windlass -n "__fish_windlass_using_subcommand deploy" -s q -l quiet -d 'Say only what went wrong'
complete -c windlass -n "__fish_windlass_using_subcommand deploy" -s v -l verbose -d 'Say more on stderr: -v what is asked, -vv every step'
complete -c windlass -n "__fish_windlass_using_subcommand deploy" -s h -l help -d 'Print help'
complete -c windlass -n "__fish_windlass_using_subcommand promote" -l from -d 'From where [default: the promoteFrom of --to]' -r
complete -c windlass -n "__fish_windlass_using_subcommand promote" -l to -d 'To where [default: the environment promoted from --from]' -r
complete -c windlass -n "__fish_windlass_using_subcommand promote" -s m -l message -d 'Record why, in the commit message' -r
complete -c windlass -n "__fish_windlass_using_subcommand promote" -l intent -d 'At most one commit ever carries this id, however often it runs' -r
complete -c windlass -n "__fish_windlass_using_subcommand promote" -l until -d 'How far to go: recorded, merged, synced, healthy [default: healthy]' -r -f -a "recorded\t'The commit stands on the branch'
merged\t'The change is merged; the same as recorded where windlass pushes'
synced\t'Argo CD applied it'
healthy\t'Argo CD runs it, healthy and proven'"
complete -c windlass -n "__fish_windlass_using_subcommand promote" -l timeout -d 'Go on at most so long: 90s, 15m, 1h [default: 15m]' -r
complete -c windlass -n "__fish_windlass_using_subcommand promote" -s o -l output -d 'Data on stdout: table, or json [default: table]' -r -f -a "table\t'Text for people'
json\t'One JSON object'"
complete -c windlass -n "__fish_windlass_using_subcommand promote" -l repo -d 'The config repo\'s address [env: WINDLASS_REPO]' -r
complete -c windlass -n "__fish_windlass_using_subcommand promote" -l branch -d 'Its branch [env: WINDLASS_BRANCH]' -r
complete -c windlass -n "__fish_windlass_using_subcommand promote" -l context -d 'A context of the user file [env: WINDLASS_CONTEXT]' -r
complete -c windlass -n "__fish_windlass_using_subcommand promote" -l config -d 'Read the map here, not from the config repo' -r -F
complete -c windlass -n "__fish_windlass_using_subcommand promote" -l color -d 'Colour: auto, always, never [default: auto]' -r -f -a "auto\t'On a terminal that can show it'
always\t'Always'
never\t'Never'"
complete -c windlass -n "__fish_windlass_using_subcommand promote" -l log-file -d 'Write the detailed log to this file as well' -r -F
complete -c windlass -n "__fish_windlass_using_subcommand promote" -l all -d 'Everything that is in both environments, in one commit'
complete -c windlass -n "__fish_windlass_using_subcommand promote" -l allow-unverified -d 'Go on although nobody proved that the source runs it'
complete -c windlass -n "__fish_windlass_using_subcommand promote" -l allow-older -d 'Go on although it moves the environment backwards'
complete -c windlass -n "__fish_windlass_using_subcommand promote" -s n -l dry-run -d 'Show the change as a unified diff, and write nothing'
complete -c windlass -n "__fish_windlass_using_subcommand promote" -l no-wait -d 'The same as --until recorded'
complete -c windlass -n "__fish_windlass_using_subcommand promote" -s y -l yes -d 'Answer every confirmation with yes'
complete -c windlass -n "__fish_windlass_using_subcommand promote" -s q -l quiet -d 'Say only what went wrong'
complete -c windlass -n "__fish_windlass_using_subcommand promote" -s v -l verbose -d 'Say more on stderr: -v what is asked, -vv every step'
complete -c windlass -n "__fish_windlass_using_subcommand promote" -s h -l help -d 'Print help'
complete -c windlass -n "__fish_windlass_using_subcommand rollback" -s e -l environment -d 'The environment' -r
complete -c windlass -n "__fish_windlass_using_subcommand rollback" -l to -d 'Return to a version, a commit, or last-healthy' -r
complete -c windlass -n "__fish_windlass_using_subcommand rollback" -l steps -d 'Take back so many releases that still stand' -r
complete -c windlass -n "__fish_windlass_using_subcommand rollback" -l revert -d 'Take back this release, of all its services by default' -r
complete -c windlass -n "__fish_windlass_using_subcommand rollback" -l reason -d 'Record why' -r
complete -c windlass -n "__fish_windlass_using_subcommand rollback" -l ticket -d 'Record the incident' -r
complete -c windlass -n "__fish_windlass_using_subcommand rollback" -l intent -d 'At most one commit ever carries this id, however often it runs' -r
complete -c windlass -n "__fish_windlass_using_subcommand rollback" -l until -d 'How far to go: recorded, merged, synced, healthy [default: healthy]' -r -f -a "recorded\t'The commit stands on the branch'
merged\t'The change is merged; the same as recorded where windlass pushes'
synced\t'Argo CD applied it'
healthy\t'Argo CD runs it, healthy and proven'"
complete -c windlass -n "__fish_windlass_using_subcommand rollback" -l timeout -d 'Go on at most so long: 90s, 15m, 1h [default: 15m]' -r
complete -c windlass -n "__fish_windlass_using_subcommand rollback" -s o -l output -d 'Data on stdout: table, or json [default: table]' -r -f -a "table\t'Text for people'
json\t'One JSON object'"
complete -c windlass -n "__fish_windlass_using_subcommand rollback" -l repo -d 'The config repo\'s address [env: WINDLASS_REPO]' -r
complete -c windlass -n "__fish_windlass_using_subcommand rollback" -l branch -d 'Its branch [env: WINDLASS_BRANCH]' -r
complete -c windlass -n "__fish_windlass_using_subcommand rollback" -l context -d 'A context of the user file [env: WINDLASS_CONTEXT]' -r
complete -c windlass -n "__fish_windlass_using_subcommand rollback" -l config -d 'Read the map here, not from the config repo' -r -F
complete -c windlass -n "__fish_windlass_using_subcommand rollback" -l color -d 'Colour: auto, always, never [default: auto]' -r -f -a "auto\t'On a terminal that can show it'
always\t'Always'
never\t'Never'"
complete -c windlass -n "__fish_windlass_using_subcommand rollback" -l log-file -d 'Write the detailed log to this file as well' -r -F
complete -c windlass -n "__fish_windlass_using_subcommand rollback" -l undo -d 'Take back the rollback that was the last release'
complete -c windlass -n "__fish_windlass_using_subcommand rollback" -l force-restore -d 'Set the fields where a file cannot be reverted'
complete -c windlass -n "__fish_windlass_using_subcommand rollback" -s n -l dry-run -d 'Show the change as a unified diff, and write nothing'
complete -c windlass -n "__fish_windlass_using_subcommand rollback" -l no-wait -d 'The same as --until recorded'
complete -c windlass -n "__fish_windlass_using_subcommand rollback" -s y -l yes -d 'Answer every confirmation with yes'
complete -c windlass -n "__fish_windlass_using_subcommand rollback" -s q -l quiet -d 'Say only what went wrong'
complete -c windlass -n "__fish_windlass_using_subcommand rollback" -s v -l verbose -d 'Say more on stderr: -v what is asked, -vv every step'
complete -c windlass -n "__fish_windlass_using_subcommand rollback" -s h -l help -d 'Print help'
complete -c windlass -n "__fish_windlass_using_subcommand status" -s e -l environment -d 'The environment; all without one' -r
complete -c windlass -n "__fish_windlass_using_subcommand status" -l interval -d 'How often to look, with --watch' -r
complete -c windlass -n "__fish_windlass_using_subcommand status" -s o -l output -d 'Data on stdout: table, or json [default: table]' -r -f -a "table\t'Text for people'
json\t'One JSON object'"
complete -c windlass -n "__fish_windlass_using_subcommand status" -l repo -d 'The config repo\'s address [env: WINDLASS_REPO]' -r
complete -c windlass -n "__fish_windlass_using_subcommand status" -l branch -d 'Its branch [env: WINDLASS_BRANCH]' -r
complete -c windlass -n "__fish_windlass_using_subcommand status" -l context -d 'A context of the user file [env: WINDLASS_CONTEXT]' -r
complete -c windlass -n "__fish_windlass_using_subcommand status" -l config -d 'Read the map here, not from the config repo' -r -F
complete -c windlass -n "__fish_windlass_using_subcommand status" -l color -d 'Colour: auto, always, never [default: auto]' -r -f -a "auto\t'On a terminal that can show it'
always\t'Always'
never\t'Never'"
complete -c windlass -n "__fish_windlass_using_subcommand status" -l log-file -d 'Write the detailed log to this file as well' -r -F
complete -c windlass -n "__fish_windlass_using_subcommand status" -s w -l wide -d 'One row for each target, with more of each'
complete -c windlass -n "__fish_windlass_using_subcommand status" -s W -l watch -d 'Go on until Ctrl-C; in a pipe, at each change'
complete -c windlass -n "__fish_windlass_using_subcommand status" -s q -l quiet -d 'Say only what went wrong'
complete -c windlass -n "__fish_windlass_using_subcommand status" -s v -l verbose -d 'Say more on stderr: -v what is asked, -vv every step'
complete -c windlass -n "__fish_windlass_using_subcommand status" -s h -l help -d 'Print help'
complete -c windlass -n "__fish_windlass_using_subcommand history" -s e -l environment -d 'The environment; all without one' -r
complete -c windlass -n "__fish_windlass_using_subcommand history" -l since -d 'Not older than this: 90m, 3d, 2026-11-20' -r
complete -c windlass -n "__fish_windlass_using_subcommand history" -l author -d 'By whom: a part of the name' -r
complete -c windlass -n "__fish_windlass_using_subcommand history" -l operation -d 'Made how: deploy, promote, rollback, by-hand' -r -f -a "deploy\t'By deploy'
promote\t'By promote'
rollback\t'By rollback'
by-hand\t'By a commit without windlass'"
complete -c windlass -n "__fish_windlass_using_subcommand history" -l limit -d 'At most so many' -r
complete -c windlass -n "__fish_windlass_using_subcommand history" -s o -l output -d 'Data on stdout: table, or json [default: table]' -r -f -a "table\t'Text for people'
json\t'One JSON object'"
complete -c windlass -n "__fish_windlass_using_subcommand history" -l repo -d 'The config repo\'s address [env: WINDLASS_REPO]' -r
complete -c windlass -n "__fish_windlass_using_subcommand history" -l branch -d 'Its branch [env: WINDLASS_BRANCH]' -r
complete -c windlass -n "__fish_windlass_using_subcommand history" -l context -d 'A context of the user file [env: WINDLASS_CONTEXT]' -r
complete -c windlass -n "__fish_windlass_using_subcommand history" -l config -d 'Read the map here, not from the config repo' -r -F
complete -c windlass -n "__fish_windlass_using_subcommand history" -l color -d 'Colour: auto, always, never [default: auto]' -r -f -a "auto\t'On a terminal that can show it'
always\t'Always'
never\t'Never'"
complete -c windlass -n "__fish_windlass_using_subcommand history" -l log-file -d 'Write the detailed log to this file as well' -r -F
complete -c windlass -n "__fish_windlass_using_subcommand history" -s q -l quiet -d 'Say only what went wrong'
complete -c windlass -n "__fish_windlass_using_subcommand history" -s v -l verbose -d 'Say more on stderr: -v what is asked, -vv every step'
complete -c windlass -n "__fish_windlass_using_subcommand history" -s h -l help -d 'Print help'
complete -c windlass -n "__fish_windlass_using_subcommand wait" -s e -l environment -d 'The environment of the services' -r
complete -c windlass -n "__fish_windlass_using_subcommand wait" -l intent -d 'The intent\'s id' -r
complete -c windlass -n "__fish_windlass_using_subcommand wait" -l until -d 'How far to go: recorded, merged, synced, healthy [default: healthy]' -r -f -a "recorded\t'The commit stands on the branch'
merged\t'The change is merged; the same as recorded where windlass pushes'
synced\t'Argo CD applied it'
healthy\t'Argo CD runs it, healthy and proven'"
complete -c windlass -n "__fish_windlass_using_subcommand wait" -l timeout -d 'Go on at most so long: 90s, 15m, 1h [default: 15m]' -r
complete -c windlass -n "__fish_windlass_using_subcommand wait" -s o -l output -d 'Data on stdout: table, or json [default: table]' -r -f -a "table\t'Text for people'
json\t'One JSON object'"
complete -c windlass -n "__fish_windlass_using_subcommand wait" -l repo -d 'The config repo\'s address [env: WINDLASS_REPO]' -r
complete -c windlass -n "__fish_windlass_using_subcommand wait" -l branch -d 'Its branch [env: WINDLASS_BRANCH]' -r
complete -c windlass -n "__fish_windlass_using_subcommand wait" -l context -d 'A context of the user file [env: WINDLASS_CONTEXT]' -r
complete -c windlass -n "__fish_windlass_using_subcommand wait" -l config -d 'Read the map here, not from the config repo' -r -F
complete -c windlass -n "__fish_windlass_using_subcommand wait" -l color -d 'Colour: auto, always, never [default: auto]' -r -f -a "auto\t'On a terminal that can show it'
always\t'Always'
never\t'Never'"
complete -c windlass -n "__fish_windlass_using_subcommand wait" -l log-file -d 'Write the detailed log to this file as well' -r -F
complete -c windlass -n "__fish_windlass_using_subcommand wait" -l no-wait -d 'The same as --until recorded'
complete -c windlass -n "__fish_windlass_using_subcommand wait" -s q -l quiet -d 'Say only what went wrong'
complete -c windlass -n "__fish_windlass_using_subcommand wait" -s v -l verbose -d 'Say more on stderr: -v what is asked, -vv every step'
complete -c windlass -n "__fish_windlass_using_subcommand wait" -s h -l help -d 'Print help'
complete -c windlass -n "__fish_windlass_using_subcommand diff" -s e -l environment -d 'The environment whose live state is compared with Git, or whose files --commits compares' -r
complete -c windlass -n "__fish_windlass_using_subcommand diff" -l from -d 'Compare the declared fields of this environment with those of --to' -r
complete -c windlass -n "__fish_windlass_using_subcommand diff" -l to -d 'The other environment' -r
complete -c windlass -n "__fish_windlass_using_subcommand diff" -l commits -d 'Compare two commits of the config repo: FROM..TO, or FROM with the tip' -r
complete -c windlass -n "__fish_windlass_using_subcommand diff" -s o -l output -d 'Data on stdout: table, or json [default: table]' -r -f -a "table\t'Text for people'
json\t'One JSON object'"
complete -c windlass -n "__fish_windlass_using_subcommand diff" -l repo -d 'The config repo\'s address [env: WINDLASS_REPO]' -r
complete -c windlass -n "__fish_windlass_using_subcommand diff" -l branch -d 'Its branch [env: WINDLASS_BRANCH]' -r
complete -c windlass -n "__fish_windlass_using_subcommand diff" -l context -d 'A context of the user file [env: WINDLASS_CONTEXT]' -r
complete -c windlass -n "__fish_windlass_using_subcommand diff" -l config -d 'Read the map here, not from the config repo' -r -F
complete -c windlass -n "__fish_windlass_using_subcommand diff" -l color -d 'Colour: auto, always, never [default: auto]' -r -f -a "auto\t'On a terminal that can show it'
always\t'Always'
never\t'Never'"
complete -c windlass -n "__fish_windlass_using_subcommand diff" -l log-file -d 'Write the detailed log to this file as well' -r -F
complete -c windlass -n "__fish_windlass_using_subcommand diff" -l exit-code -d 'Exit with 60 when something differs'
complete -c windlass -n "__fish_windlass_using_subcommand diff" -s q -l quiet -d 'Say only what went wrong'
complete -c windlass -n "__fish_windlass_using_subcommand diff" -s v -l verbose -d 'Say more on stderr: -v what is asked, -vv every step'
complete -c windlass -n "__fish_windlass_using_subcommand diff" -s h -l help -d 'Print help'
complete -c windlass -n "__fish_windlass_using_subcommand edit" -l set -d 'Put VALUE at PATH' -r
complete -c windlass -n "__fish_windlass_using_subcommand edit" -l append -d 'Add an entry at the end of the sequence at PATH' -r
complete -c windlass -n "__fish_windlass_using_subcommand edit" -l entry -d 'The entry to add, as YAML' -r
complete -c windlass -n "__fish_windlass_using_subcommand edit" -l document -d 'The document of a file with several, from 0' -r
complete -c windlass -n "__fish_windlass_using_subcommand edit" -s o -l output -d 'Data on stdout: table, or json [default: table]' -r -f -a "table\t'Text for people'
json\t'One JSON object'"
complete -c windlass -n "__fish_windlass_using_subcommand edit" -l repo -d 'The config repo\'s address [env: WINDLASS_REPO]' -r
complete -c windlass -n "__fish_windlass_using_subcommand edit" -l branch -d 'Its branch [env: WINDLASS_BRANCH]' -r
complete -c windlass -n "__fish_windlass_using_subcommand edit" -l context -d 'A context of the user file [env: WINDLASS_CONTEXT]' -r
complete -c windlass -n "__fish_windlass_using_subcommand edit" -l config -d 'Read the map here, not from the config repo' -r -F
complete -c windlass -n "__fish_windlass_using_subcommand edit" -l color -d 'Colour: auto, always, never [default: auto]' -r -f -a "auto\t'On a terminal that can show it'
always\t'Always'
never\t'Never'"
complete -c windlass -n "__fish_windlass_using_subcommand edit" -l log-file -d 'Write the detailed log to this file as well' -r -F
complete -c windlass -n "__fish_windlass_using_subcommand edit" -s i -l in-place -d 'Write the result back into the file'
complete -c windlass -n "__fish_windlass_using_subcommand edit" -s q -l quiet -d 'Say only what went wrong'
complete -c windlass -n "__fish_windlass_using_subcommand edit" -s v -l verbose -d 'Say more on stderr: -v what is asked, -vv every step'
complete -c windlass -n "__fish_windlass_using_subcommand edit" -s h -l help -d 'Print help'
complete -c windlass -n "__fish_windlass_using_subcommand config; and not __fish_seen_subcommand_from list" -s o -l output -d 'Data on stdout: table, or json [default: table]' -r -f -a "table\t'Text for people'
json\t'One JSON object'"
complete -c windlass -n "__fish_windlass_using_subcommand config; and not __fish_seen_subcommand_from list" -l repo -d 'The config repo\'s address [env: WINDLASS_REPO]' -r
complete -c windlass -n "__fish_windlass_using_subcommand config; and not __fish_seen_subcommand_from list" -l branch -d 'Its branch [env: WINDLASS_BRANCH]' -r
complete -c windlass -n "__fish_windlass_using_subcommand config; and not __fish_seen_subcommand_from list" -l context -d 'A context of the user file [env: WINDLASS_CONTEXT]' -r
complete -c windlass -n "__fish_windlass_using_subcommand config; and not __fish_seen_subcommand_from list" -l config -d 'Read the map here, not from the config repo' -r -F
complete -c windlass -n "__fish_windlass_using_subcommand config; and not __fish_seen_subcommand_from list" -l color -d 'Colour: auto, always, never [default: auto]' -r -f -a "auto\t'On a terminal that can show it'
always\t'Always'
never\t'Never'"
complete -c windlass -n "__fish_windlass_using_subcommand config; and not __fish_seen_subcommand_from list" -l log-file -d 'Write the detailed log to this file as well' -r -F
complete -c windlass -n "__fish_windlass_using_subcommand config; and not __fish_seen_subcommand_from list" -s q -l quiet -d 'Say only what went wrong'
complete -c windlass -n "__fish_windlass_using_subcommand config; and not __fish_seen_subcommand_from list" -s v -l verbose -d 'Say more on stderr: -v what is asked, -vv every step'
complete -c windlass -n "__fish_windlass_using_subcommand config; and not __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c windlass -n "__fish_windlass_using_subcommand config; and not __fish_seen_subcommand_from list" -f -a "list" -d 'List the settings in force'
complete -c windlass -n "__fish_windlass_using_subcommand config; and __fish_seen_subcommand_from list" -s o -l output -d 'Data on stdout: table, or json [default: table]' -r -f -a "table\t'Text for people'
json\t'One JSON object'"
complete -c windlass -n "__fish_windlass_using_subcommand config; and __fish_seen_subcommand_from list" -l repo -d 'The config repo\'s address [env: WINDLASS_REPO]' -r
complete -c windlass -n "__fish_windlass_using_subcommand config; and __fish_seen_subcommand_from list" -l branch -d 'Its branch [env: WINDLASS_BRANCH]' -r
complete -c windlass -n "__fish_windlass_using_subcommand config; and __fish_seen_subcommand_from list" -l context -d 'A context of the user file [env: WINDLASS_CONTEXT]' -r
complete -c windlass -n "__fish_windlass_using_subcommand config; and __fish_seen_subcommand_from list" -l config -d 'Read the map here, not from the config repo' -r -F
complete -c windlass -n "__fish_windlass_using_subcommand config; and __fish_seen_subcommand_from list" -l color -d 'Colour: auto, always, never [default: auto]' -r -f -a "auto\t'On a terminal that can show it'
always\t'Always'
never\t'Never'"
complete -c windlass -n "__fish_windlass_using_subcommand config; and __fish_seen_subcommand_from list" -l log-file -d 'Write the detailed log to this file as well' -r -F
complete -c windlass -n "__fish_windlass_using_subcommand config; and __fish_seen_subcommand_from list" -l origin -d 'Show where each came from'
complete -c windlass -n "__fish_windlass_using_subcommand config; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Say only what went wrong'
complete -c windlass -n "__fish_windlass_using_subcommand config; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Say more on stderr: -v what is asked, -vv every step'
complete -c windlass -n "__fish_windlass_using_subcommand config; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c windlass -n "__fish_windlass_using_subcommand demo" -s o -l output -d 'Data on stdout: table, or json [default: table]' -r -f -a "table\t'Text for people'
json\t'One JSON object'"
complete -c windlass -n "__fish_windlass_using_subcommand demo" -l repo -d 'The config repo\'s address [env: WINDLASS_REPO]' -r
complete -c windlass -n "__fish_windlass_using_subcommand demo" -l branch -d 'Its branch [env: WINDLASS_BRANCH]' -r
complete -c windlass -n "__fish_windlass_using_subcommand demo" -l context -d 'A context of the user file [env: WINDLASS_CONTEXT]' -r
complete -c windlass -n "__fish_windlass_using_subcommand demo" -l config -d 'Read the map here, not from the config repo' -r -F
complete -c windlass -n "__fish_windlass_using_subcommand demo" -l color -d 'Colour: auto, always, never [default: auto]' -r -f -a "auto\t'On a terminal that can show it'
always\t'Always'
never\t'Never'"
complete -c windlass -n "__fish_windlass_using_subcommand demo" -l log-file -d 'Write the detailed log to this file as well' -r -F
complete -c windlass -n "__fish_windlass_using_subcommand demo" -s q -l quiet -d 'Say only what went wrong'
complete -c windlass -n "__fish_windlass_using_subcommand demo" -s v -l verbose -d 'Say more on stderr: -v what is asked, -vv every step'
complete -c windlass -n "__fish_windlass_using_subcommand demo" -s h -l help -d 'Print help'
complete -c windlass -n "__fish_windlass_using_subcommand sandbox; and not __fish_seen_subcommand_from faults" -l fault -d 'A fault to play; several combine' -r
complete -c windlass -n "__fish_windlass_using_subcommand sandbox; and not __fish_seen_subcommand_from faults" -l forge -d 'The forge: github, gitlab, forgejo (default) or gitea' -r
complete -c windlass -n "__fish_windlass_using_subcommand sandbox; and not __fish_seen_subcommand_from faults" -s o -l output -d 'Data on stdout: table, or json [default: table]' -r -f -a "table\t'Text for people'
json\t'One JSON object'"
complete -c windlass -n "__fish_windlass_using_subcommand sandbox; and not __fish_seen_subcommand_from faults" -l repo -d 'The config repo\'s address [env: WINDLASS_REPO]' -r
complete -c windlass -n "__fish_windlass_using_subcommand sandbox; and not __fish_seen_subcommand_from faults" -l branch -d 'Its branch [env: WINDLASS_BRANCH]' -r
complete -c windlass -n "__fish_windlass_using_subcommand sandbox; and not __fish_seen_subcommand_from faults" -l context -d 'A context of the user file [env: WINDLASS_CONTEXT]' -r
complete -c windlass -n "__fish_windlass_using_subcommand sandbox; and not __fish_seen_subcommand_from faults" -l config -d 'Read the map here, not from the config repo' -r -F
complete -c windlass -n "__fish_windlass_using_subcommand sandbox; and not __fish_seen_subcommand_from faults" -l color -d 'Colour: auto, always, never [default: auto]' -r -f -a "auto\t'On a terminal that can show it'
always\t'Always'
never\t'Never'"
complete -c windlass -n "__fish_windlass_using_subcommand sandbox; and not __fish_seen_subcommand_from faults" -l log-file -d 'Write the detailed log to this file as well' -r -F
complete -c windlass -n "__fish_windlass_using_subcommand sandbox; and not __fish_seen_subcommand_from faults" -l pull-requests -d 'Deliver by pull requests: a forge at the address of the Git server'
complete -c windlass -n "__fish_windlass_using_subcommand sandbox; and not __fish_seen_subcommand_from faults" -s q -l quiet -d 'Say only what went wrong'
complete -c windlass -n "__fish_windlass_using_subcommand sandbox; and not __fish_seen_subcommand_from faults" -s v -l verbose -d 'Say more on stderr: -v what is asked, -vv every step'
complete -c windlass -n "__fish_windlass_using_subcommand sandbox; and not __fish_seen_subcommand_from faults" -s h -l help -d 'Print help'
complete -c windlass -n "__fish_windlass_using_subcommand sandbox; and not __fish_seen_subcommand_from faults" -a "faults" -d 'List the faults'
complete -c windlass -n "__fish_windlass_using_subcommand sandbox; and __fish_seen_subcommand_from faults" -s o -l output -d 'Data on stdout: table, or json [default: table]' -r -f -a "table\t'Text for people'
json\t'One JSON object'"
complete -c windlass -n "__fish_windlass_using_subcommand sandbox; and __fish_seen_subcommand_from faults" -l repo -d 'The config repo\'s address [env: WINDLASS_REPO]' -r
complete -c windlass -n "__fish_windlass_using_subcommand sandbox; and __fish_seen_subcommand_from faults" -l branch -d 'Its branch [env: WINDLASS_BRANCH]' -r
complete -c windlass -n "__fish_windlass_using_subcommand sandbox; and __fish_seen_subcommand_from faults" -l context -d 'A context of the user file [env: WINDLASS_CONTEXT]' -r
complete -c windlass -n "__fish_windlass_using_subcommand sandbox; and __fish_seen_subcommand_from faults" -l config -d 'Read the map here, not from the config repo' -r -F
complete -c windlass -n "__fish_windlass_using_subcommand sandbox; and __fish_seen_subcommand_from faults" -l color -d 'Colour: auto, always, never [default: auto]' -r -f -a "auto\t'On a terminal that can show it'
always\t'Always'
never\t'Never'"
complete -c windlass -n "__fish_windlass_using_subcommand sandbox; and __fish_seen_subcommand_from faults" -l log-file -d 'Write the detailed log to this file as well' -r -F
complete -c windlass -n "__fish_windlass_using_subcommand sandbox; and __fish_seen_subcommand_from faults" -s q -l quiet -d 'Say only what went wrong'
complete -c windlass -n "__fish_windlass_using_subcommand sandbox; and __fish_seen_subcommand_from faults" -s v -l verbose -d 'Say more on stderr: -v what is asked, -vv every step'
complete -c windlass -n "__fish_windlass_using_subcommand sandbox; and __fish_seen_subcommand_from faults" -s h -l help -d 'Print help'
complete -c windlass -n "__fish_windlass_using_subcommand completions" -s o -l output -d 'Data on stdout: table, or json [default: table]' -r -f -a "table\t'Text for people'
json\t'One JSON object'"
complete -c windlass -n "__fish_windlass_using_subcommand completions" -l repo -d 'The config repo\'s address [env: WINDLASS_REPO]' -r
complete -c windlass -n "__fish_windlass_using_subcommand completions" -l branch -d 'Its branch [env: WINDLASS_BRANCH]' -r
complete -c windlass -n "__fish_windlass_using_subcommand completions" -l context -d 'A context of the user file [env: WINDLASS_CONTEXT]' -r
complete -c windlass -n "__fish_windlass_using_subcommand completions" -l config -d 'Read the map here, not from the config repo' -r -F
complete -c windlass -n "__fish_windlass_using_subcommand completions" -l color -d 'Colour: auto, always, never [default: auto]' -r -f -a "auto\t'On a terminal that can show it'
always\t'Always'
never\t'Never'"
complete -c windlass -n "__fish_windlass_using_subcommand completions" -l log-file -d 'Write the detailed log to this file as well' -r -F
complete -c windlass -n "__fish_windlass_using_subcommand completions" -s q -l quiet -d 'Say only what went wrong'
complete -c windlass -n "__fish_windlass_using_subcommand completions" -s v -l verbose -d 'Say more on stderr: -v what is asked, -vv every step'
complete -c windlass -n "__fish_windlass_using_subcommand completions" -s h -l help -d 'Print help'
complete -c windlass -n "__fish_windlass_using_subcommand man" -s o -l output -d 'Data on stdout: table, or json [default: table]' -r -f -a "table\t'Text for people'
json\t'One JSON object'"
complete -c windlass -n "__fish_windlass_using_subcommand man" -l repo -d 'The config repo\'s address [env: WINDLASS_REPO]' -r
complete -c windlass -n "__fish_windlass_using_subcommand man" -l branch -d 'Its branch [env: WINDLASS_BRANCH]' -r
complete -c windlass -n "__fish_windlass_using_subcommand man" -l context -d 'A context of the user file [env: WINDLASS_CONTEXT]' -r
complete -c windlass -n "__fish_windlass_using_subcommand man" -l config -d 'Read the map here, not from the config repo' -r -F
complete -c windlass -n "__fish_windlass_using_subcommand man" -l color -d 'Colour: auto, always, never [default: auto]' -r -f -a "auto\t'On a terminal that can show it'
always\t'Always'
never\t'Never'"
complete -c windlass -n "__fish_windlass_using_subcommand man" -l log-file -d 'Write the detailed log to this file as well' -r -F
complete -c windlass -n "__fish_windlass_using_subcommand man" -s q -l quiet -d 'Say only what went wrong'
complete -c windlass -n "__fish_windlass_using_subcommand man" -s v -l verbose -d 'Say more on stderr: -v what is asked, -vv every step'
complete -c windlass -n "__fish_windlass_using_subcommand man" -s h -l help -d 'Print help'
complete -c windlass -n "__fish_windlass_using_subcommand version" -s o -l output -d 'Data on stdout: table, or json [default: table]' -r -f -a "table\t'Text for people'
json\t'One JSON object'"
complete -c windlass -n "__fish_windlass_using_subcommand version" -l repo -d 'The config repo\'s address [env: WINDLASS_REPO]' -r
complete -c windlass -n "__fish_windlass_using_subcommand version" -l branch -d 'Its branch [env: WINDLASS_BRANCH]' -r
complete -c windlass -n "__fish_windlass_using_subcommand version" -l context -d 'A context of the user file [env: WINDLASS_CONTEXT]' -r
complete -c windlass -n "__fish_windlass_using_subcommand version" -l config -d 'Read the map here, not from the config repo' -r -F
complete -c windlass -n "__fish_windlass_using_subcommand version" -l color -d 'Colour: auto, always, never [default: auto]' -r -f -a "auto\t'On a terminal that can show it'
always\t'Always'
never\t'Never'"
complete -c windlass -n "__fish_windlass_using_subcommand version" -l log-file -d 'Write the detailed log to this file as well' -r -F
complete -c windlass -n "__fish_windlass_using_subcommand version" -s q -l quiet -d 'Say only what went wrong'
complete -c windlass -n "__fish_windlass_using_subcommand version" -s v -l verbose -d 'Say more on stderr: -v what is asked, -vv every step'
complete -c windlass -n "__fish_windlass_using_subcommand version" -s h -l help -d 'Print help'
