-- The service works as app_service, whoever it signs in as: a role that owns nothing and may not change the schema. Logins
-- that serve and do not migrate need: grant app_service to <login>
do $$
declare
  is_16 constant boolean := current_setting('server_version_num')::integer >= 160000;
begin
  begin
    if not exists (select from pg_roles where rolname = 'app_service') then
      create role app_service nologin;
    end if;
  exception
    -- Roles belong to the server, and another of its databases is migrated at the same moment.
    when duplicate_object or unique_violation then null;
  end;
  if not pg_has_role('app_service', case when is_16 then 'set' else 'member' end) then
    -- As text, because older servers would not understand it.
    execute 'grant app_service to current_user' || case when is_16 then ' with inherit false, set true' else '' end;
  end if;
exception
  when insufficient_privilege then
    raise insufficient_privilege using message = format(
      'the login %1$s may not create the role app_service or take it on. Let somebody who may do it first: '
      'create role app_service nologin; grant app_service to %1$I', current_user
    );
end
$$;

grant usage on schema public to app_service;
-- Before version 15 everybody may.
revoke create on schema public from public;
grant select, insert, update, delete on all tables in schema public to app_service;
alter default privileges in schema public grant select, insert, update, delete on tables to app_service;
alter default privileges in schema public grant usage on sequences to app_service;

-- It reads which migrations there are. What was audited stays, and so does what was ordered, but for its status.
revoke insert, update, delete on pgmigrations from app_service;
revoke update, delete on audit_events from app_service;
revoke update, delete on orders, order_lines from app_service;
grant update (status, updated_at) on orders to app_service;

-- Who asks, as the service says for each transaction; nobody while it has said nothing. That guards against queries that
-- forgot to ask whose rows they read, and not against those who may send SQL of their own: they can say to be anybody.
create function caller_id() returns uuid
  language sql stable parallel safe
  -- Machines may have names of other kinds; no account has one.
  return case
    when current_setting('app.principal_id', true) ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
      then current_setting('app.principal_id', true)::uuid
  end;

create function caller_may(permission text) returns boolean
  language sql stable parallel safe
  return coalesce(permission = any (string_to_array(current_setting('app.permissions', true), ',')), false);

alter table orders enable row level security;
-- Its owner, too, sees no more than the policies say. Superusers do, whatever is said.
alter table orders force row level security;
alter table order_lines enable row level security;
alter table order_lines force row level security;

-- (select …) is asked once for a statement, and not once for a row.
create policy orders_seen on orders for select using (
  account_id = (select caller_id())
  or (select caller_may('orders:read') or caller_may('orders:ship') or caller_may('reports:read'))
);
create policy orders_placed on orders for insert with check (account_id = (select caller_id()) and status = 'placed');
create policy orders_cancelled on orders for update
  using (account_id = (select caller_id()) and status = 'placed')
  with check (account_id = (select caller_id()) and status = 'cancelled');
create policy orders_shipped on orders for update
  using ((select caller_may('orders:ship')) and status = 'placed')
  with check ((select caller_may('orders:ship')) and status = 'shipped');

create policy order_lines_seen on order_lines for select using (
  account_id = (select caller_id())
  or (select caller_may('orders:read') or caller_may('orders:ship') or caller_may('reports:read'))
);
create policy order_lines_placed on order_lines for insert with check (account_id = (select caller_id()));
