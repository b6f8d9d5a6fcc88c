import { expect, it } from "vitest";
import { SideField } from "./side-field.ts";

it("keeps a value for each object, which the object does not show", () => {
  const field = new SideField<object, string>();
  const [object, other] = [{ a: 1 }, { a: 1 }];
  expect(field.get(object)).toBeUndefined();
  field.set(object, "first");
  field.set(object, "second");
  expect(field.get(object)).toBe("second");
  expect(field.get(other)).toBeUndefined();
  expect(Reflect.ownKeys(object)).toEqual(["a"]);
});

it("is not copied with the object", () => {
  const field = new SideField<object, string>();
  const object = {};
  field.set(object, "its own");
  expect(field.get({ ...object })).toBeUndefined();
});

it("is another field than every other one", () => {
  const [one, another] = [new SideField<object, string>(), new SideField<object, string>()];
  const object = Object.freeze({});
  one.set(object, "one");
  another.set(object, "another");
  expect([one.get(object), another.get(object)]).toEqual(["one", "another"]);
});
