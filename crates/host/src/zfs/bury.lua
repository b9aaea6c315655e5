-- The end of a former dataset, if it holds nothing that no snapshot holds, in one transaction group.
-- Arguments: the former dataset, and "adopted" if what it holds may go with it.
local argv = (...)["argv"]
local former, adopted = argv[1], argv[2] == "adopted"

if not zfs.exists(former) then return { decided = true } end
local names = {}
for snapshot in zfs.list.snapshots(former) do
    names[#names + 1] = string.match(snapshot, "@(.*)$")
end
if #names > 0 then return { stopped = "foreign", what = names } end
local written = zfs.get_prop(former, "written")
if written ~= 0 and not adopted then return { stopped = "drift", what = written } end
local errno = zfs.sync.destroy(former)
if errno == 16 then return { stopped = "busy" } end
if errno ~= 0 then return { stopped = "other", errno = errno, what = "destroy " .. former } end
return { decided = true }
