-- The decision: everything is checked, and then done, in one transaction group.
-- Arguments: D, the staged dataset, D's guid as a signed number behind # (empty: there must be no D), the
-- number of the snapshot, the transaction, and the snapshot that froze D (empty: none did). Gives
-- what stopped it, or that it is decided.
local argv = (...)["argv"]
local live, staged, guid, number, transaction = argv[1], argv[2], argv[3], argv[4], argv[5]
local frozen = argv[6]
local made = staged .. "@s" .. number
local first = guid == ""

local EBUSY, EEXIST, ENOSPC, EDQUOT = 16, 17, 28, 122

local function stopped(why, what)
    return { stopped = why, what = what }
end

local function refused(errno, doing)
    if errno == EBUSY then return stopped("busy") end
    if errno == EEXIST then return stopped("taken") end
    if errno == ENOSPC or errno == EDQUOT then return stopped("space") end
    return { stopped = "other", errno = errno, what = doing }
end

-- A repository has a snapshot that a publish marked.
local function is_repository(dataset)
    for snapshot in zfs.list.snapshots(dataset) do
        local made_by, source = zfs.get_prop(snapshot, "dsg:transaction")
        if made_by and (source == snapshot or source == "$recvd") then return true end
    end
    return false
end

-- What D sets itself must be the same on its successor, and its successor sets nothing else. Where and
-- whether it is mounted is settled afterwards; keys follow the promotion; counts are kept by the pool.
local ELSEWHERE = {
    canmount = true, readonly = true, keylocation = true, keyformat = true, pbkdf2iters = true,
    encryption = true, filesystem_count = true, snapshot_count = true,
}

local function own(dataset, source)
    return source == dataset or source == "$recvd"
end

local function differing()
    local names, told = {}, {}
    local function differs(name)
        if not told[name] then names[#names + 1] = name end
        told[name] = true
    end
    for _, name in ipairs(zfs.list.system_properties(live)) do
        if not ELSEWHERE[name] then
            local value, source = zfs.get_prop(live, name)
            local set, from = zfs.get_prop(staged, name)
            if own(live, source) then
                if tostring(value) ~= tostring(set) then differs(name) end
            elseif own(staged, from) then
                differs(name)
            end
        end
    end
    local users = zfs.list.user_properties or zfs.list.properties
    local mine = {}
    for name, value, source in users(live) do
        if own(live, source) and string.sub(name, 1, 4) ~= "dsg:" then
            mine[name] = true
            if tostring(value) ~= tostring((zfs.get_prop(staged, name))) then differs(name) end
        end
    end
    for name, _, source in users(staged) do
        if own(staged, source) and string.sub(name, 1, 4) ~= "dsg:" and not mine[name] then
            differs(name)
        end
    end
    -- Whoever makes D read-only wants nothing published.
    if zfs.get_prop(live, "readonly") == "on" then differs("readonly") end
    if zfs.get_prop(live, "canmount") ~= zfs.get_prop(staged, "dsg:canmount") then differs("canmount") end
    return names
end

-- Root is bound by no limit of snapshots, so whoever set one is heard here.
local function limited()
    local at = live
    while at do
        if zfs.exists(at) then
            local limit, count = zfs.get_prop(at, "snapshot_limit"), zfs.get_prop(at, "snapshot_count")
            if limit and count and limit >= 0 and count >= limit then return at end
        end
        at = string.match(at, "^(.*)/[^/]*$")
    end
end

-- A repository of this name that is not finished: what it was, or what was decided to be it.
local function replaced()
    local ours = live .. ".dsg-"
    for other in zfs.list.children(string.match(live, "^(.*)/[^/]*$")) do
        local rest = string.sub(other, 1, #ours) == ours and string.sub(other, #ours + 1)
        if rest and string.sub(rest, 1, 4) == "old-" then return true end
        if rest and other ~= staged then
            for snapshot in zfs.list.snapshots(other) do
                if zfs.get_prop(snapshot, "dsg:transaction") then return true end
            end
        end
    end
    return false
end

if not zfs.exists(staged) then return stopped("missing") end
if zfs.exists(made) then return stopped("taken") end

if first then
    if zfs.exists(live) then return stopped("moved") end
    if replaced() then return stopped("moved") end
else
    if not zfs.exists(live) then return stopped("moved") end
    if "#" .. tostring((zfs.get_prop(live, "guid"))) ~= guid then return stopped("moved") end
    local origin = zfs.get_prop(staged, "origin")
    if not origin or string.match(origin, "^(.*)@") ~= live then return stopped("missing") end
    if not is_repository(live) then return stopped("stranger") end

    local since = zfs.get_prop(origin, "createtxg")
    local newer = {}
    for snapshot in zfs.list.snapshots(live) do
        local name = string.match(snapshot, "@(.*)$")
        local taken = string.match(name, "^s(%d+)$")
        if taken and tonumber(taken) >= tonumber(number) then return stopped("taken") end
        -- A comparison that runs takes such a one for as long as it does.
        local passing = string.sub(name, 1, 9) == "zfs-diff-"
        if name ~= frozen and not passing and zfs.get_prop(snapshot, "createtxg") > since then
            newer[#newer + 1] = name
        end
    end
    if #newer > 0 then return stopped("foreign", newer) end

    -- What was written before a freeze was looked at, and carried over.
    local counted = frozen ~= "" and frozen or string.match(origin, "@(.*)$")
    if not zfs.exists(live .. "@" .. counted) then return stopped("missing") end
    local written = zfs.get_prop(live, "written@" .. counted)
    if written ~= 0 then return stopped("drift", written) end

    local names = differing()
    if #names > 0 then return stopped("properties", names) end
end

-- What is D from now on, and where it says that it stands (an inherited place ends with its present name).
local function following()
    local home, source = zfs.get_prop(staged, "mountpoint")
    local meant, set = zfs.get_prop(staged, "dsg:canmount")
    if not home or not own(staged, set) then return nil end
    local id = "#" .. tostring((zfs.get_prop(staged, "guid")))
    return { guid = id, home = home, own = own(staged, source), meant = meant }
end

local full = limited()
if full then return stopped("limit", full) end

local errno = zfs.check.snapshot(made)
if errno ~= 0 then return refused(errno, "snapshot") end
if not first then
    errno = zfs.check.promote(staged)
    if errno ~= 0 then return refused(errno, "promote") end
end

local next_one = following()
errno = zfs.sync.snapshot(made)
if errno ~= 0 then return refused(errno, "snapshot") end
errno = zfs.sync.set_prop(made, "dsg:transaction", transaction)
if errno == 0 and not first then errno = zfs.sync.promote(staged) end
if errno ~= 0 then
    -- The group is not written out yet: nothing of this is ever seen.
    zfs.sync.destroy(made)
    return refused(errno, "promote")
end
return { decided = true, next = next_one }
