#!/bin/sh
# Pushes the plugin and its rules to an OCI registry, in the form that falcoctl installs:
#
#   push.sh REGISTRY/NAMESPACE VERSION FOLDER
#
# FOLDER holds tfdrift-VERSION-linux-ARCH.tar.gz for one architecture or both, and tfdrift_rules.yaml.  Log in before, with
# falcoctl registry auth.  PLAIN_HTTP=1 is for a registry without TLS.
set -eu
if [ $# -ne 3 ]; then
    sed -n '2,7s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
namespace=$1 version=$2 folder=$3
# An installation that names no version asks for latest.
set -- --version "$version" --add-floating-tags --tag latest ${PLAIN_HTTP:+--plain-http}

api=
platforms=
archives=
for pair in x86_64:amd64 aarch64:arm64; do
    archive=$folder/tfdrift-$version-linux-${pair%:*}.tar.gz
    if [ -e "$archive" ]; then
        manifest=$(tar -xzOf "$archive" "tfdrift-$version/manifest.json")
        api=$(printf %s "$manifest" | sed -n 's/.*"plugin_api_version": "\(.*\)".*/\1/p')
        platforms="$platforms --platform linux/${pair#*:}"
        archives="$archives $archive"
    fi
done
if [ -z "$api" ]; then
    echo "push.sh: no tfdrift-$version-linux-ARCH.tar.gz in $folder; make bundle" >&2
    exit 1
fi

# What rules, plugin and Falco need of each other; of the rules, falcoctl reads it in the file.
# shellcheck disable=SC2086 # one word for each platform and archive
falcoctl registry push --type plugin --name tfdrift --requires "plugin_api_version:$api" "$@" $platforms \
    "$namespace/plugins/plugin/tfdrift:$version" $archives
falcoctl registry push --type rulesfile --name tfdrift-rules "$@" \
    "$namespace/plugins/ruleset/tfdrift:$version" "$folder/tfdrift_rules.yaml"
