#!/usr/bin/env bash
# Puts the image's root folder together; docker/Dockerfile runs it.
#
#   docker/assemble.sh BIN OUT   from the programs in BIN, one file and links to it, makes OUT
#
# OUT holds the stripped programs, the shared libraries that they need, as far as those need others, the
# licences of all that is linked, and an unprivileged user's empty store. Libraries are looked up where
# the programs were linked: in the sysroot of deploy/build/sysroot.sh for another architecture, else
# below /.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/../deploy/build/progress.sh"
bin=$1 out=$2
user=65532

case $(readelf -h "$bin/fourfold" | sed -n 's/.*Machine: *//p') in
  AArch64) arch=arm64 triplet=aarch64-linux-gnu loader=/lib/ld-linux-aarch64.so.1 ;;
  *X86-64) arch=amd64 triplet=x86_64-linux-gnu loader=/lib64/ld-linux-x86-64.so.2 ;;
  *) fail "programs in $bin are neither for arm64 nor for amd64" ;;
esac
root= strip=strip
if [[ $arch != "$(dpkg --print-architecture)" ]]; then
  root=$("$here/../deploy/build/sysroot.sh" --prefix "$arch")
  strip=$triplet-strip
fi
libraries=usr/lib/$triplet

rm -rf "$out"
mkdir -p "$out"/{etc,models,usr/bin,usr/lib64,"$libraries"}
ln -s usr/lib "$out/lib"
ln -s usr/lib64 "$out/lib64"

for program in "$bin"/*; do
  if [[ -L $program ]]; then
    cp -P "$program" "$out/usr/bin/"
  else
    "$strip" -o "$out/usr/bin/${program##*/}" "$program"
  fi
done

# needs FILE: the shared libraries that it names.
needs() { readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'; }

# Which of Debian's packages has the licence of a shared library.
declare -A licence_of=(
  [ld-linux-aarch64]=libc6 [ld-linux-x86-64]=libc6 [libbz2]=libbz2-1.0 [libc]=libc6
  [libcivetweb]=libcivetweb-dev [libcrypto]=libssl-dev [libfmt]=libfmt-dev [libgcc_s]=libgcc-s1
  [liblzma]=liblzma5 [libm]=libc6 [libprometheus-cpp-core]=prometheus-cpp-dev
  [libspdlog]=libspdlog-dev [libssl]=libssl-dev [libstdc++]=libstdc++6 [libz]=zlib1g
  [libzip]=libzip-dev [libzstd]=libzstd1
)
# Those of what is linked statically or built in.
licences=(
  libabsl-dev libc-ares-dev libflatbuffers-dev libgrpc++-dev libjs-chart.js libonnx-dev
  libprotobuf-dev libre2-dev libstb-dev nlohmann-json3-dev
)

# take NAME FOLDER: a shared library into the image's FOLDER, then all that it needs.
take() {
  local name=$1 folder=$2 file next
  [[ ! -e $out/$folder/$name ]] || return 0
  file=$root/$folder/$name
  [[ -e $file ]] || fail "$file is needed and not there"
  [[ -n ${licence_of[${name%.so.*}]:-} ]] || fail "$name is linked: say in $0 where its licence is"
  licences+=("${licence_of[${name%.so.*}]}")
  cp -L "$file" "$out/$folder/$name"
  for next in $(needs "$file"); do
    [[ $next == "${loader##*/}" ]] || take "$next" "$libraries"
  done
}
take "${loader##*/}" "usr${loader%/*}"
for name in $(needs "$bin/fourfold"); do
  [[ $name == "${loader##*/}" ]] || take "$name" "$libraries"
done

# Names are looked up in /etc/hosts, which the container runtime writes, then by DNS.
echo "hosts: files dns" >"$out/etc/nsswitch.conf"
echo "fourfold:x:$user:$user::/models:/usr/sbin/nologin" >"$out/etc/passwd"
echo "fourfold:x:$user:" >"$out/etc/group"

doc=usr/share/doc
for package in "${licences[@]}"; do
  file=$root/$doc/$package/copyright
  [[ -e $file ]] || file=/$doc/$package/copyright # of no architecture
  mkdir -p "$out/$doc/$package"
  cp -L "$file" "$out/$doc/$package/"
done
mkdir -p "$out/$doc/fourfold"
cp "$here/../LICENSE" "$out/$doc/fourfold/"
if [[ $arch == amd64 ]]; then
  prefix=$("$here/../kernels/onednn/build.sh" --prefix)
  mkdir -p "$out/$doc/onednn"
  cp "$prefix"/share/doc/dnnl/{LICENSE,THIRD-PARTY-PROGRAMS} "$out/$doc/onednn/"
fi

find "$out" -exec chown -h 0:0 {} +
chmod -R u=rwX,go=rX "$out"
chown "$user:$user" "$out/models"
note "the image's files are in $out: $(du -sh "$out" | cut -f1)"
