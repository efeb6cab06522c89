-- Nothing is sold that is not there, whatever the service takes for true.
alter table products add column stock integer not null default 0
  constraint products_stock_not_negative check (stock >= 0);
