-- The end of a former dataset, if it holds nothing that no snapshot holds, in one transaction group.
-- Arguments: the former dataset, the snapshot that may have frozen it (what it holds is known, and
-- goes with it), and "adopted" if the rest of what it holds may go, too.
local argv = (...)["argv"]
local former, frozen, adopted = argv[1], argv[2], argv[3] == "adopted"

if not zfs.exists(former) then return { decided = true } end
local names = {}
for snapshot in zfs.list.snapshots(former) do
    local name = string.match(snapshot, "@(.*)$")
    if name ~= frozen then names[#names + 1] = name end
end
if #names > 0 then return { stopped = "foreign", what = names } end
local written = zfs.get_prop(former, "written")
if written ~= 0 and not adopted then return { stopped = "drift", what = written } end
if zfs.exists(former .. "@" .. frozen) then
    local errno = zfs.sync.destroy(former .. "@" .. frozen)
    if errno ~= 0 then return { stopped = "busy" } end
end
local errno = zfs.sync.destroy(former)
if errno == 16 then return { stopped = "busy" } end
if errno ~= 0 then return { stopped = "other", errno = errno, what = "destroy " .. former } end
return { decided = true }
