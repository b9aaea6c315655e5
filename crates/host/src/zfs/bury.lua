-- The end of a former dataset, if it holds nothing that no snapshot holds, in one transaction group.
-- Arguments: the former dataset, the snapshot that may have frozen it (what it holds is known, and
-- goes with it), and of the state whose rest may go, too, the dataset's guid as a signed number behind #
-- and how many bytes were written to it (both empty: of none); and the repository that it was.
local argv = (...)["argv"]
local former, frozen, guid, adopted, live = argv[1], argv[2], argv[3], argv[4], argv[5]

-- A repository has a snapshot that a publish marked.
local function is_repository(dataset)
    if not zfs.exists(dataset) then return false end
    for snapshot in zfs.list.snapshots(dataset) do
        local made_by, source = zfs.get_prop(snapshot, "dsg:transaction")
        if made_by and (source == snapshot or source == "$recvd") then return true end
    end
    return false
end

if not zfs.exists(former) then return { decided = true } end
if not is_repository(live) then return { stopped = "stranger" } end
local names = {}
for snapshot in zfs.list.snapshots(former) do
    local name = string.match(snapshot, "@(.*)$")
    if name ~= frozen then names[#names + 1] = name end
end
if #names > 0 then return { stopped = "foreign", what = names } end
local written = zfs.get_prop(former, "written")
local same = "#" .. tostring((zfs.get_prop(former, "guid"))) == guid and tostring(written) == adopted
if written ~= 0 and not same then return { stopped = "drift", what = written } end
local known = former .. "@" .. frozen
local marked = zfs.exists(known)
if marked then
    local errno = zfs.sync.destroy(known)
    if errno ~= 0 then return { stopped = "busy" } end
end
local errno = zfs.sync.destroy(former)
if errno ~= 0 and (marked or written ~= 0) then
    -- It stays, and so does what is known of it: it is all in this state.
    local again = zfs.sync.snapshot(known)
    if again ~= 0 then return { stopped = "other", errno = again, what = "snapshot " .. known } end
end
if errno == 16 then return { stopped = "busy" } end
if errno ~= 0 then return { stopped = "other", errno = errno, what = "destroy " .. former } end
return { decided = true }
