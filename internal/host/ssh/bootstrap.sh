# Finds the agent on the host by its digest and starts it, or asks for it.
# It runs as root: sh -c 'THIS' quorate FOLDER SHA256-of-amd64 SHA256-of-arm64.
# Lines are joined with spaces before they are sent, since some login shells
# take no newline between quotes: so each command ends in a semicolon, and
# there is no single quote, no backslash and no exclamation mark.
LC_ALL=C; export LC_ALL; umask 077; cd /;
folder=$1;
machine=$(uname -m);
case $machine in
  x86_64) sum=$2 ;;
  aarch64|arm64) sum=$3 ;;
  *) echo "quorate-agent unsupported $machine"; exit 1 ;;
esac;
name=$(printf %.16s "$sum");
me=$(id -u);
for d in "${folder%/*}" "$folder"; do
  [ -e "$d" ] || continue;
  seen=$(stat -L -c "%u %A" "$d");
  case $seen in
    "$me d"????-??-?*) ;;
    *) echo "quorate-agent unsafe $d ($seen)"; exit 1 ;;
  esac;
done;
touch -c "$folder/$name" 2>/dev/null;
if [ -x "$folder/$name" ] && echo "$sum  $folder/$name" | sha256sum -c >/dev/null 2>&1;
then exec "$folder/$name" "$folder"; fi;
packing=raw;
if command -v gzip >/dev/null 2>&1; then packing=gzip; fi;
echo "quorate-agent missing $machine $packing";
read -r size || exit 1;
mkdir -p "$folder" && chmod 700 "$folder" || exit 1;
upload=$folder/.upload.$$;
trap "rm -f $upload" EXIT;
if [ $packing = gzip ];
then head -c "$size" | gzip -dc >"$upload" || exit 1;
else head -c "$size" >"$upload" || exit 1; fi;
if echo "$sum  $upload" | sha256sum -c >/dev/null;
then chmod 700 "$upload" && { sync "$upload" 2>/dev/null || sync; } && mv -f "$upload" "$folder/$name" || exit 1;
else echo "the uploaded agent is damaged" >&2; exit 1; fi;
trap - EXIT;
exec "$folder/$name" "$folder"
